"""Playing a recorded market through the client SDK: the recording, the commands made of it, the player."""
