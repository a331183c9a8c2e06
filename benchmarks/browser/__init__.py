"""The dashboard in a real Chromium over 100,000 decisions: the first view, updates under load, memory over an hour."""
