package limit

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tutti-realtime/tutti/internal/tally"
)

// A name is a metric. Names, labels and units that the reference has too mean
// the same there: database.md, section 7.2.
type name struct {
	desc   *prometheus.Desc
	values []string // of the labels behind the tenant
	factor float64  // of measures: what is shown for a second, or for one
}

const byTenant = "tenant"

// tenantName is a metric of each tenant, with one more label if that is given.
func tenantName(n, help string, more ...string) *name {
	labels, values := []string{byTenant}, []string(nil)
	if len(more) > 0 {
		labels, values = append(labels, more[0]), more[1:]
	}
	return &name{desc: prometheus.NewDesc(n, help, labels, nil), values: values, factor: 1}
}

// totalName is a metric of all tenants together.
func totalName(n, help string, more ...string) *name {
	var labels []string
	var values []string
	if len(more) > 0 {
		labels, values = more[:1], more[1:]
	}
	return &name{desc: prometheus.NewDesc(n, help, labels, nil), values: values, factor: 1}
}

// ms makes a metric one in milliseconds.
func (n *name) ms() *name {
	n.factor = 1000
	return n
}

// What is counted for limits: of each tenant, and of all.
var (
	eventNames = [kinds]*name{
		tenantName("realtime_channel_events", "Messages that clients sent, and that were delivered to them, as the limit on events counts them."),
		tenantName("realtime_channel_joins", "Attempts to join a channel."),
		tenantName("realtime_channel_presence_events", "Presence messages that clients sent, and that were delivered to them."),
		tenantName("realtime_channel_db_events", "Changes of rows that were delivered."),
		tenantName("tutti_tenant_http_requests_total", "HTTP requests of the tenant."),
	}
	eventTotals = [kinds]*name{
		totalName("realtime_channel_global_events", "The same as realtime_channel_events, of all tenants."),
		totalName("realtime_channel_global_joins", "The same as realtime_channel_joins, of all tenants."),
		totalName("realtime_channel_global_presence_events", "The same as realtime_channel_presence_events, of all tenants."),
		totalName("realtime_channel_global_db_events", "The same as realtime_channel_db_events, of all tenants."),
	}
)

// What else is counted.
var (
	countNames = [tally.Counts]*name{
		tally.InputBytes:      tenantName("realtime_channel_input_bytes", "Bytes received from clients."),
		tally.OutputBytes:     tenantName("realtime_channel_output_bytes", "Bytes sent to clients."),
		tally.SlowClients:     tenantName("tutti_tenant_slow_clients_total", "Clients that were hung up on because they did not take what they were sent."),
		tally.RowsHandedOut:   tenantName("realtime_replication_poller_changes_dispatch", "Changes of rows that somebody got."),
		tally.RowsSkipped:     tenantName("realtime_replication_poller_changes_skip", "Deliveries of changes of rows that a limit took away.", "reason", "rate_limited"),
		tally.MessagesDropped: tenantName("tutti_feed_messages_dropped_total", "Messages that the database sent and that were not delivered: over a limit, too large, incomplete or reserved."),
		tally.FeedStops:       tenantName("realtime_replication_poller_stop_total", "Times that changes were no longer read because nobody wanted them.", "reason", "normal"),
		tally.FeedFailures:    tenantName("realtime_replication_poller_exception_total", "Times that reading changes broke off. It is tried again by itself."),
		tally.FeedLosses:      tenantName("tutti_feed_losses_total", "Times that changes were lost because the replication slot was gone."),
		tally.QueryFailures:   tenantName("realtime_replication_poller_query_exception_total", "Questions about changes that the database did not answer. They are asked again.", "reason", "other"),
		tally.PrepareFailures: tenantName("realtime_replication_poller_prepare_exception_total", "Times that the database could not be prepared."),
	}
	ofFeeds     = [tally.Counts]bool{tally.MessagesDropped: true, tally.FeedFailures: true, tally.FeedLosses: true}
	countTotals = [tally.Counts]*name{
		tally.InputBytes:  totalName("realtime_channel_global_input_bytes", "The same as realtime_channel_input_bytes, of all tenants."),
		tally.OutputBytes: totalName("realtime_channel_global_output_bytes", "The same as realtime_channel_output_bytes, of all tenants."),
	}
	failures      = tenantName("realtime_channel_error", "Joins that were refused, and channels that were shut down, by code.", "code")
	failureTotals = totalName("realtime_channel_global_error", "The same as realtime_channel_error, of all tenants.", "code")
)

// What is measured.
const (
	payloadTenant = "realtime_tenants_payload_size"
	payloadHelp   = "Bytes of payloads: of broadcasts that are sent, of what clients track, of changes of rows as they are written for clients."
	payloadTotal  = "realtime_payload_size"
	messageType   = "message_type"
)

var (
	measureNames = [tally.Measures]*name{
		tally.BroadcastBytes:  tenantName(payloadTenant, payloadHelp, messageType, "broadcast"),
		tally.PresenceBytes:   tenantName(payloadTenant, payloadHelp, messageType, "presence"),
		tally.RowBytes:        tenantName(payloadTenant, payloadHelp, messageType, "postgres_changes"),
		tally.ReadCheck:       tenantName("realtime_tenants_read_authorization_check", "Milliseconds that policies took to say who may read a topic.").ms(),
		tally.WriteCheck:      tenantName("realtime_tenants_write_authorization_check", "Milliseconds that policies took to say who may write to a topic.").ms(),
		tally.Replay:          tenantName("realtime_tenants_replay", "Milliseconds that it took to fetch messages that are replayed.").ms(),
		tally.FromCommit:      tenantName("realtime_tenants_broadcast_from_database_latency_committed_at", "Milliseconds from a commit until its messages are sent on. Clocks of two machines are compared.").ms(),
		tally.FromInsert:      tenantName("realtime_tenants_broadcast_from_database_latency_inserted_at", "Milliseconds from the time in a message's row until it is sent on. Clocks of two machines are compared.").ms(),
		tally.VisibleCheck:    tenantName("realtime_replication_poller_query_duration", "Milliseconds that the database took to say who may see rows that changed.").ms(),
		tally.CommitToHandOut: tenantName("tutti_feed_commit_to_handout_seconds", "Time from a commit until its changes are given to the event loops. Clocks of two machines are compared."),
	}
	measureTotals = [tally.Measures]*name{
		tally.BroadcastBytes: totalName(payloadTotal, payloadHelp, messageType, "broadcast"),
		tally.PresenceBytes:  totalName(payloadTotal, payloadHelp, messageType, "presence"),
		tally.RowBytes:       totalName(payloadTotal, payloadHelp, messageType, "postgres_changes"),
		tally.VisibleCheck:   totalName("tutti_feed_visibility_check_seconds", "Time that databases took to say who may see rows that changed, of all tenants."),
		tally.Identities:     totalName("tutti_feed_check_identities", "Distinct identities (role and claims) that a database was asked about at once: each costs, however many subscribers share it."),
	}
)

// How tenants stand right now.
var (
	usersName         = tenantName("realtime_connections_connected", "Sockets of this node that have joined a channel.")
	clusterUsersName  = tenantName("realtime_connections_connected_cluster", "Sockets of all nodes that have joined a channel. Every node with clients of the tenant says so.")
	subscriptionsName = tenantName("realtime_subscriptions_manager_subscribers", "Subscriptions of this node to changes of rows.")
	identitiesName    = tenantName("tutti_feed_identities", "Distinct identities (role and claims) that the subscriptions have.")
	liveName          = tenantName("tutti_feed_live", "1 while every change that commits is read, 0 while that is not so. Of several tenants: how many feeds are live.")
	lagBytesName      = tenantName("tutti_feed_lag_bytes", "Bytes of its log that the database has written and not been told to forget, as far as this node has heard. Of several tenants: the worst.")
	lagSecondsName    = tenantName("tutti_feed_lag_seconds", "Age of the oldest commit that is read and not handed out. Of several tenants: the worst.")

	tenantsTotal      = totalName("realtime_tenants_connected", "Tenants with a socket of this node that has joined a channel.")
	knownTotal        = totalName("tutti_tenants_known", "Tenants that do something on this node, or did within five minutes.")
	usersTotal        = totalName("realtime_connections_global_connected", "The same as realtime_connections_connected, of all tenants.")
	clusterUsersTotal = totalName("realtime_connections_global_connected_cluster", "The same as realtime_connections_connected_cluster, of all tenants. Every node says so.")
	feedsTotal        = totalName("tutti_feeds", "Databases whose changes this node wants.")
	liveTotal         = totalName("tutti_feeds_live", "Of those, how many are read without a gap right now.")
	worstBytes        = totalName("tutti_feed_worst_lag_bytes", "The worst tutti_feed_lag_bytes of all tenants.")
	worstSeconds      = totalName("tutti_feed_worst_lag_seconds", "The worst tutti_feed_lag_seconds of all tenants.")
)

// names returns all of them.
func names() []*name {
	all := slices.Concat(eventNames[:], eventTotals[:], countNames[:], countTotals[:], measureNames[:], measureTotals[:], []*name{
		failures, failureTotals,
		usersName, clusterUsersName, subscriptionsName, identitiesName, liveName, lagBytesName, lagSecondsName,
		tenantsTotal, knownTotal, usersTotal, clusterUsersTotal, feedsTotal, liveTotal, worstBytes, worstSeconds,
	})
	return slices.DeleteFunc(all, func(n *name) bool { return n == nil })
}
