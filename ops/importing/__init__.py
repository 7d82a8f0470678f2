"""Importing existing sessions into the register: files of them to events, which the register folds like any other."""
