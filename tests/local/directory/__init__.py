"""The local directory, asked through the SDKs that ask the real one."""
