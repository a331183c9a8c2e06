"""Process edges: gateway, command line, demo. Thin: parse, call a service, render."""
