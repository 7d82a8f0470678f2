"""End sessions deliberately: find which, publish their logouts, and see that they have ended."""
