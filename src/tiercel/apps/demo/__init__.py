"""`tiercel demo`: the main job on real input, watched by someone who has never seen the project.

table.py      what three real models answered to 1,824 prompts, and how long real models take
upstream.py   another process that answers as they did
processes.py  starting the upstream and the gateway, and ending them
guard.py      a process between, so that no child outlives the demo
folder.py     the options, and the folder with configuration, store and logs
client.py     a user of the gateway: asks, rates, and looks
replay.py     the run: waves of prompts, ratings some waves later
learned.py    what the gateway says it learned
baselines.py  what the choices without a router would have reached, from the same table
picture.py    quality against cost, drawn with characters
result.py     what came of it, as one record and as JSON
display.py    the run on a terminal
summary.py    its result on a terminal
run.py        all of it in order
"""
