"""What is wrong, and who has been told. Pure.

figures       which figures of the learned state feed which built-in rule
rules         figures -> a breach; what was active and a breach -> what fires, what is over
own_rules     the figures of rules of one's own -> breaches
watch         where a look is needed at all
notice_state  what was claimed, sent and failed -> what is to be told by whom
notice_text   what is told, in words
"""
