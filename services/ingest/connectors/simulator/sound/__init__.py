"""What calls on the simulated floor sound like, and the copies of it that go to whoever may listen.

pcm.py           frames of sound: 20 ms, 8 kHz, 16 bits
voices.py        who sounds how: recordings of made-up voices
talk.py          two people speak in turns
sounds.py        everything that can be heard on the floor: as speech, or as tones for tests
music.py         on hold, and while it rings
stage.py         who is in which call, and how, now
ears.py          what everybody says and hears at a moment
audiosocket.py   one connection that carries sound
forks.py         all of them, 20 ms after 20 ms
"""
