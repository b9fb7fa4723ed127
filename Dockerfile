# The environment and a copy of the checkout. The CPU works as it is, `docker run --gpus all` adds GPUs.
FROM python:3.11-slim-bookworm
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends git make && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home pipeline
USER pipeline
RUN mkdir /home/pipeline/checkout
WORKDIR /home/pipeline/checkout
# experiments of DVC are commits and need an author
RUN git config --global user.name pipeline && git config --global user.email pipeline@localhost
# first what the environment is made of: an edit of anything else does not install it again
COPY --chown=pipeline Makefile requirements.txt requirements-dev.txt ./
COPY --chown=pipeline tools/environment.pth tools/
RUN make .venv/installed-dev
COPY --chown=pipeline . .
CMD ["make", "repro"]
