"""Everything that changed, several stages at once: a ready queue over DVC's own graph and command line."""
