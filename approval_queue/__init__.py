"""An approval is needed: who may decide? Fan out the mails; record the answer."""
