package explain

// extensions is about rooms of extensions, and of the one that is built in.
var extensions = []Entry{
	{
		Code: "ExtensionUnavailable", Seen: []Place{Extension, Join},
		Cause: "the room cannot be opened, or nobody knows where it is",
		Cure:  "wait a moment and send again",
	}, {
		Code: "ExtensionOverloaded", Seen: []Place{Extension},
		Cause: "the room has more events waiting than it may",
		Cure:  "send less",
	}, {
		Code: "ExtensionRoomMoved", Seen: []Place{Extension},
		Cause: "the event was on its way while the room went to another node, and may not have been heard",
		Cure:  "send it again if it matters, with the same key where the event has one",
	}, {
		Code: "ExtensionEventReserved", Seen: []Place{Extension, HTTP, Node}, Status: 422,
		Cause: "a client, a request or realtime.send used the name of an event that only the room itself may send; it went nowhere",
		Cure:  "use another name, in whatever case of letters",
	}, {
		Code: "ExtensionPanicked", Seen: []Place{Extension, Node},
		Cause: "the room of an extension failed again and again, and was closed",
		Cure:  "join again later; the log has the stack, for whoever wrote it",
	}, {
		Code: "ExtensionStalled", Seen: []Place{Node},
		Cause: "a call of an extension did not return; its room was opened anew",
		Cure:  "whoever wrote it: do nothing in an actor that blocks, use room.Go",
	}, {
		Code: "ExtensionSettingsInvalid", Seen: []Place{Node},
		Cause: "settings of a tenant for an extension are wrong; it is off for that tenant",
		Cure:  "the line names the setting; docs/extensions.md",
	}, {
		Code: "ExtensionNotPrepared", Seen: []Place{Extension, Node},
		Cause: "migrations of an extension failed in the tenant's database; its rooms are refused",
		Cure:  "the line says what PostgreSQL did not like",
	}, {
		Code: "ExtensionStateTooLarge", Seen: []Place{Node},
		Cause: "a room wanted to keep more than a megabyte; what it kept before stays",
		Cure:  "whoever wrote it: keep less",
	},
	music("unknown_command", "there is no such command", "docs/music.md has them all"),
	music("bad_payload", "a field is missing, of the wrong kind or out of its range", "the reason names it"),
	music("not_allowed", "the sender's role may not do it", "a teacher can give another role"),
	music("last_teacher", "a room keeps one teacher", "make somebody else teacher first"),
	music("unknown_member", "the command names somebody who is not in the room", ""),
	music("conflict", "the state has changed since the sender saw it", "read room_state and decide anew"),
	music("key_reused", "another command had the same key", "a new key for each command"),
	music("too_many_changes", "so many changes of tempo lie ahead that no more are taken", "wait until they have passed"),
	music("already_playing", "the transport runs", ""),
	music("already_stopped", "the transport stands", ""),
	music("about_to_start", "not possible between a start and its first bar", "wait for the bar"),
	music("muted", "a teacher has muted the player", ""),
	music("too_many_notes", "the player is over the notes that a player may send each second; retry_ms says when the next is let through", "notes_per_second in the settings"),
	music("note_too_late", "the note's time is too long ago", "check the page's clock: it says how sure it is"),
	music("note_too_early", "the note's time is too far ahead", "check the page's clock"),
	music("take_full", "no more onsets of this take are kept", "end it"),
	music("too_many_events", "the member sends more commands than a member may", "retry_ms says when the next is let through"),
	music("take_runs", "another take is under way", "end it first"),
	music("no_take", "no take is under way, or another", ""),
}

func music(code, cause, cure string) Entry {
	return Entry{Code: code, Seen: []Place{Music}, Cause: cause, Cure: cure}
}
