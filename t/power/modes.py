"""What is sent, and how it is kept.  The layout is one Maildir, one for each
user, or none; a message has one of the numbers of recipients."""

MODES = {
    'one': dict(layout='one', rcpts=[1]),
    'three': dict(layout='users', rcpts=[3]),
    'twelve': dict(layout='users', rcpts=[12]),
    # more than the 16 Maildirs that are open at a time
    'twenty': dict(layout='users', rcpts=[20], users=24),
    'hardlink': dict(layout='users', rcpts=[3, 12], options=['--hardlink']),
    'filter': dict(layout='users', rcpts=[1, 3], options=['--filter', 'cat']),
    'lmtp': dict(layout='users', rcpts=[3], lmtp=True),
    'bdat': dict(layout='users', rcpts=[1, 3], bdat=True),
    # the Maildirs are made by smtpd, during the load
    'fresh': dict(layout='users', rcpts=[1, 2, 3], fresh=True),
    'fresh-hardlink': dict(layout='users', rcpts=[1, 2, 3], fresh=True,
                           options=['--hardlink']),
    # into folders, made by smtpd during the load, by the number of a message
    'folder': dict(layout='users', rcpts=[1, 3], folder=True, options=[
        '--on-message',
        r"sed -n 's/^X-Powercut: [0-9]*\./FOLDER=m/p; /^$/q'"]),
    # a hook keeps each message, and a Maildir does too, or does not
    'deliver': dict(layout='one', rcpts=[1], hand=True),
    'spool': dict(layout='none', rcpts=[1, 3], hand=True),
}
