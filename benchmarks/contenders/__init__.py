"""The competitors: what somebody who knows each library would write, at its best settings for confirmed publishing."""
