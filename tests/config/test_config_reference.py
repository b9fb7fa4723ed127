"""docs/hyperparameters.md against the schemas."""

from checkout import ROOT

from pipeline.config import params, reference


def test_the_reference_is_what_the_schemas_say():
    assert (ROOT / reference.PAGE).read_text() == reference.page(), "run `python -m pipeline.config.reference`"


def test_the_reference_explains_every_hyperparameter_with_its_values():
    page = reference.page()
    for section, schema in params.SCHEMAS.items():
        assert f"\n## `{section}`\n" in page
        for key in schema.model_fields:
            assert f"\n| `{key}` | " in page.split(f"\n## `{section}`\n")[1].split("\n## ")[0]
    assert "| `penalty` | `none`, `r1`, `r2`, `gp`, `lp` | " in page
    assert "| `sha256` | text | Checksum of the data; `python -m pipeline.data.checksum PATH` prints it. |" in page
    assert "| `test_share` | number, greater than 0, less than 1 (default: 0.1) | " in page
    assert "| `seeds` | list: whole number, at least 0 | " in page
    assert "Each entry of `games` has these:" in page and "Each entry of `distributions` has these:" in page
