"""What Lambda runs: built, weighed, and started."""
