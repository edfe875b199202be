package explain

// databases is about tenants' databases while clients wait for them.
var databases = []Entry{
	{
		Code: "UnableToConnectToProject", Seen: []Place{Join, Database},
		Cause: "the tenant's database does not answer",
		Cure:  "`tutti doctor TENANT` tries what the server does",
	}, {
		Code: "InitializingProjectConnection", Seen: []Place{Join},
		Cause: "the tenant's database is being prepared",
		Cure:  "nothing: clients join again by themselves",
	}, {
		Code: "DatabaseNotPrepared", Seen: []Place{Join, Database},
		Cause: "the database lacks something that only its owner can give",
		Cure:  "`tutti doctor TENANT` says what, with the statement that gives it",
	}, {
		Code: "DatabaseSettingsInvalid", Seen: []Place{Join, Changes, Database},
		Cause: "a setting of the tenant's database makes no sense; the text names it",
		Cure:  "set it with `tutti tenant set` or PUT /api/tenants",
	}, {
		Code: "IncreaseConnectionPool", Seen: []Place{Join},
		Cause: "none of the tenant's connections was free for 15 s",
		Cure:  "a larger db_pool, or faster policies",
	}, {
		Code: "DatabaseLackOfConnections", Seen: []Place{Join, Database},
		Cause: "the database takes no more connections",
		Cure:  "ALTER SYSTEM SET max_connections to more, or close others",
	}, {
		Code: "QueryCanceled", Seen: []Place{Join},
		Cause: "a policy took longer than 5 s",
		Cure:  "a faster policy, or an index for it",
	}, {
		Code: "RlsPolicyError", Seen: []Place{Changes, Node},
		Cause: "a policy fails for this token, so that it hears nothing of the table or topic",
		Cure:  "the log has PostgreSQL's error; mend the policy",
	}, {
		Code: "MissingPartition", Seen: []Place{Join, Database},
		Cause: "realtime.messages has no partition for today, and none could be made",
		Cure:  "`tutti doctor TENANT`; the log says why it could not",
	}, {
		Code: "PartitionCreationFailed", Seen: []Place{Node},
		Cause: "partitions of realtime.messages could not be made or dropped",
		Cure:  "the line has PostgreSQL's error; it is tried again every hour",
	}, {
		Code: "WalLevelNotLogical", Seen: []Place{Changes, Database},
		Cause: "wal_level is not logical, so that the database tells nobody of its changes",
		Cure:  "ALTER SYSTEM SET wal_level = logical, and restart PostgreSQL",
	}, {
		Code: "ReplicationNotPermitted", Seen: []Place{Changes, Database},
		Cause: "the role may not replicate",
		Cure:  "ALTER ROLE … REPLICATION, as a superuser",
	}, {
		Code: "ReplicationSlotsExhausted", Seen: []Place{Changes, Database},
		Cause: "the server has max_replication_slots slots",
		Cure:  "drop those that nobody uses (SELECT * FROM pg_replication_slots), or raise the setting and restart PostgreSQL",
	}, {
		Code: "WalSendersExhausted", Seen: []Place{Changes, Database},
		Cause: "the server has max_wal_senders senders",
		Cure:  "raise the setting and restart PostgreSQL",
	}, {
		Code: "ConnectionsExhausted", Seen: []Place{Changes, Database},
		Cause: "the database takes no more connections",
		Cure:  "close others, or ALTER SYSTEM SET max_connections to more",
	}, {
		Code: "ReplicationSlotBeingUsed", Seen: []Place{Changes, Database},
		Cause: "another connection reads the slot: another server, or a node that the others believe lost",
		Cure:  "give each server its own SLOT_NAME_SUFFIX; of the nodes of one cluster the later goes first by itself",
	}, {
		Code: "ReplicationSlotNameTaken", Seen: []Place{Changes, Database},
		Cause: "a slot of this name is of another database or plugin",
		Cure:  "SLOT_NAME_SUFFIX gives ours another name",
	}, {
		Code: "ReplicationSlotLost", Seen: []Place{Changes, Database},
		Cause: "the slot was dropped or invalidated: changes were lost, and clients are told so",
		Cure:  "read anew what you need; max_slot_wal_keep_size says how much log the database keeps",
	}, {
		Code: "PublicationMissing", Seen: []Place{Changes, Database},
		Cause: "there is no such publication, and the role may not create it",
		Cure:  "CREATE PUBLICATION supabase_realtime, as the owner of the database",
	}, {
		Code: "DatabaseConnectionRefused", Seen: []Place{Changes, Database},
		Cause: "nobody listens where the database should be",
		Cure:  "check the tenant's db_host and db_port, and that PostgreSQL runs",
	}, {
		Code: "DatabaseAuthFailed", Seen: []Place{Changes, Database},
		Cause: "the password, the role or pg_hba.conf is not right",
		Cure:  "check the tenant's db_user and db_password",
	}, {
		Code: "DatabaseNotFound", Seen: []Place{Changes, Database},
		Cause: "the server has no such database",
		Cure:  "check the tenant's db_name",
	}, {
		Code: "DatabaseUnavailable", Seen: []Place{Changes, Database},
		Cause: "the database starts, stops, or cannot be reached",
		Cure:  "nothing while it restarts: it is tried again, and nothing is lost meanwhile",
	}, {
		Code: "ReplicationConnectionError", Seen: []Place{Changes, Database},
		Cause: "reading the slot failed in another way",
		Cure:  "the text has PostgreSQL's error; it is tried again",
	}, {
		Code: "UnableToSubscribeToPostgres", Seen: []Place{Node},
		Cause: "subscriptions wait because the database does not answer",
		Cure:  "nothing: they are made when it does; clients were told",
	}, {
		Code: "TooManyDatabaseChanges", Seen: []Place{Changes, Node},
		Text:  "Too many database changes per second: N were not delivered",
		Cause: "the tenant is over max_events_per_second",
		Cure:  "raise the limit, or subscribe with narrower filters",
	}, {
		Code: "UnableToBroadcastChanges", Seen: []Place{Node},
		Cause: "a row of realtime.messages is no message: its payload is too large, or its topic empty",
		Cure:  "the line names the topic; mend who sends it",
	}, {
		Code: "FilterFailed", Seen: []Place{Node},
		Cause: "PostgreSQL could not evaluate a subscription's filter",
		Cure:  "the line has PostgreSQL's error; mend the filter",
	}, {
		Code: "CatalogFailed", Seen: []Place{Node},
		Cause: "the description of the tables could not be read",
		Cure:  "nothing: it is tried again before the next change is judged",
	}, {
		Code: "FeedFailed", Seen: []Place{Node},
		Cause: "reading a tenant's changes ended by a fault of the server and began anew; clients were told that changes may be lost",
		Cure:  "report the line",
	}, {
		Code: "DropReplicationSlotFailed", Seen: []Place{Node},
		Cause: "a slot that nobody needs could not be dropped, so that the database goes on keeping log for it",
		Cure:  "SELECT pg_drop_replication_slot('…') with the name in the line",
	},
}

// defects is what `tutti doctor` and the log say of a database that cannot be
// prepared.
var defects = []Entry{
	defect("CreateOnDatabaseMissing", "the role may not make the schema realtime, or the publication", "GRANT CREATE ON DATABASE … TO …"),
	defect("SchemaRightsMissing", "the role may not use the schema realtime, or make in it what is missing", "GRANT USAGE, CREATE ON SCHEMA realtime TO …"),
	defect("MessagesUnusable", "realtime.messages is not the table that it should be", "let the server that made it finish its migrations, or rename the table"),
	defect("MessagesNotOwned", "the role may not add partitions to realtime.messages", "GRANT the owner of the table TO the role, with INHERIT"),
	defect("MessagesRightsMissing", "the role may not read and write realtime.messages", "GRANT SELECT, INSERT ON realtime.messages TO …"),
	defect("SubjectToPolicies", "the role is itself subject to the policies on realtime.messages, so it cannot ask about others", "ALTER ROLE … BYPASSRLS"),
	defect("PublicationIncomplete", "the publication of messages lacks realtime.messages, so that nothing sent from SQL arrives", "ALTER PUBLICATION supabase_realtime_messages_publication ADD TABLE realtime.messages"),
	defect("ObjectNotMade", "something could not be made; the text says what and why", "let a superuser make it"),
	defect("RoleMissing", "a role that tokens name does not exist", "CREATE ROLE … NOLOGIN NOINHERIT, and GRANT it to the server's role"),
	defect("RoleClosed", "the server's role may not become a role that tokens name", "GRANT the role TO the server's"),
	defect("RoleWithoutRights", "a role has no right on realtime.messages at all, which comes before policies", "GRANT SELECT, INSERT, UPDATE ON realtime.messages TO …"),
	defect("PoliciesOff", "row-level security is off on realtime.messages: everybody may use every private channel", "ALTER TABLE realtime.messages ENABLE ROW LEVEL SECURITY"),
	defect("ReplayIndexMissing", "realtime.messages has no index that begins with inserted_at, so that replay reads whole days", "create the index that `tutti doctor` prints"),
}

func defect(code, cause, cure string) Entry {
	return Entry{Code: code, Seen: []Place{Database}, Cause: cause, Cure: cure}
}
