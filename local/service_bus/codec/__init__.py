"""Bytes and values: AMQP 1.0 types, frames, performatives and messages. Nothing here reads or writes a socket."""
