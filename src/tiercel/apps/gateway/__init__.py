"""The gateway: an OpenAI-compatible endpoint that chooses the model, and the loop's own endpoints beside it.

asgi.py     where a request goes: the hot path, or everything else
chat.py     the hot path: POST /v1/chat/completions
body.py     reading a request's body, and JSON as strict as the specification wants it
context.py  workflow, stage, agent ... from metadata and headers
errors.py   from an error to an answer
answers.py  what every answer has in common
under_way.py  ending chat completions in good order when the process stops
state.py    what every endpoint needs
server.py   running it
collection.py  Python's collector of cycles, in small steps

endpoints.py     which path and method is answered by what, but for the hot path
validation.py    bodies and parameters of tiercel's own calls
records.py       domain records as JSON values
decisions.py, feedback.py, insight.py, figures.py, alerts.py, agents.py, approvals.py, event_stream.py,
operations.py, prometheus.py, model_router.py, page.py
"""
