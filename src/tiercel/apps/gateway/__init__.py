"""The gateway: an OpenAI-compatible endpoint that chooses the model, and the loop's own endpoints beside it.

asgi.py     where a request goes: the hot path, or everything else
chat.py     the hot path: POST /v1/chat/completions
body.py     reading a request's body, and JSON as strict as the specification wants it
context.py  workflow, stage, agent ... from metadata and headers
errors.py   from an error to an answer
state.py    what every endpoint needs
"""
