package explain

// nodes is what the log of a node says of itself and of others.
var nodes = []Entry{
	{
		Code: "ClusterMessagesLost", Seen: []Place{Node},
		Cause: "messages of other nodes were lost on their way here, because this node could not follow or the network was cut",
		Cure:  "look at load and network; presence and changes are repaired by themselves, broadcasts of that moment are gone",
	}, {
		Code: "ClusterNodeNameTaken", Seen: []Place{Node},
		Cause: "another node has the name of this one",
		Cure:  "give each its own NODE_NAME",
	}, {
		Code: "EncryptionReconcileFailed", Seen: []Place{Node},
		Cause: "secrets in the control database could not be encrypted anew",
		Cure:  "check DB_ENC_KEY and DB_ENC_KEY_GCM; what could be read before still can",
	}, {
		Code: "TraceExportFailed", Seen: []Place{Node},
		Cause: "the collector of OpenTelemetry is not there, or did not take spans; they are dropped until it does",
		Cure:  "check OTEL_EXPORTER_OTLP_ENDPOINT, and that the collector takes OTLP over HTTP (port 4318)",
	}, {
		Code: "UnableToHandleBroadcast", Seen: []Place{Node},
		Cause: "a private message of POST /api/broadcast could not be authorized, for a fault of the server or its database",
		Cure:  "the line says why; send it again",
	}, {
		Code: "UnknownErrorOnController", Seen: []Place{Node},
		Cause: "a request was answered with 500 or above, or its handler panicked",
		Cure:  "the line says why; request_id tells which request it was",
	},
}

// development is what keeps `tutti dev` from starting its PostgreSQL.
var development = []Entry{
	{
		Code: "PostgresMissing", Seen: []Place{Dev},
		Cause: "there are no programs of PostgreSQL on this machine, and none could be fetched",
		Cure:  "install PostgreSQL 14 or newer",
	}, {
		Code: "PostgresVersion", Seen: []Place{Dev},
		Cause: "the programs do not fit the data, or are too old",
		Cure:  "install that version, or use another folder",
	}, {
		Code: "PostgresUser", Seen: []Place{Dev},
		Cause: "PostgreSQL does not run as root, and there is no other user to run it as, or one without the rights",
		Cure:  "start as another user; the text says which folder he must be able to read",
	}, {
		Code: "PostgresFailed", Seen: []Place{Dev},
		Cause: "a program of PostgreSQL gave up",
		Cure:  "the text has its last words",
	}, {
		Code: "FolderInUse", Seen: []Place{Dev},
		Cause: "another `tutti dev` has the folder",
		Cure:  "stop it, or use another folder",
	}, {
		Code: "PortInUse", Seen: []Place{Dev},
		Cause: "somebody else listens on the port of the database",
		Cure:  "stop it, or choose another port",
	}, {
		Code: "PlatformUnsupported", Seen: []Place{Dev},
		Cause: "a private PostgreSQL needs Linux, macOS or another Unix",
		Cure:  "start a PostgreSQL yourself and give its address",
	},
}
