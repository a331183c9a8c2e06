"""TOML and environment to frozen settings; the only reader of the environment."""
