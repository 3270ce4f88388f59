"""What one peer may ask for: no connection can make the broker hold more than these add up to."""

MAX_MESSAGE_SIZE = 256 * 1024  # bytes: Service Bus Standard
MAX_FRAME_SIZE = 64 * 1024  # bytes: of the frames that we take, and of those that we send
MAX_CHANNEL = 63
MAX_HANDLE = 255
MAX_UNFINISHED = 16 * MAX_MESSAGE_SIZE  # bytes of messages whose last transfer has not come yet, per connection
MAX_UNSETTLED = 10_000  # deliveries of a session whose settlement we wait for; beyond it the oldest count as lost
WRITE_AHEAD = 1024 * 1024  # bytes that may wait for a slow reader before we stop reading from it and sending to it
SENDER_CREDIT = 1000  # messages that a client may have under way on one link
WINDOW = 2**31 - 1  # transfers: we take them as they come, so credit and not the session's window is what limits
PEEK_SIZE = 1024 * 1024  # bytes: a peek answers with what fits, and with one message at least
PEEK_COUNT = 250  # messages
IDLE_TIMEOUT = 240.0  # seconds of silence after which a peer is taken for dead; Service Bus has the same
SHORTEST_HEARTBEAT = 0.05  # seconds: a peer that asks for more gets this
LAST_WORDS = 2.0  # seconds for a peer to read our close before the socket is shut
