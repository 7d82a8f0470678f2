"""Which sessions end because of others, and the commands that end them."""
