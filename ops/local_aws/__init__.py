"""The local AWS: an emulator that others keep, with our template deployed to it."""
