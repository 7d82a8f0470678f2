"""The register's pure core: events folded into session items."""
