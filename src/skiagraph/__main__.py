"""``python -m skiagraph``: the same as the command ``skiagraph``."""

from skiagraph.cli import app

if __name__ == "__main__":
    app()
