"""The relay: the sound of calls from the switch to those who listen, in a process of its own, so that no broadcast to boards
makes a voice stutter.

`python -m services.monitor.listen.relay`. Who hears what is decided by the monitor (`listen.orders`); what happens is
reported to it (`listen.reports`).
"""
