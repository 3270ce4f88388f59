"""What a broker does with messages. No sockets, no files, no clock but the one it is given."""
