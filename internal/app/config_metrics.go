package app

// Scrape is what the metrics show, and how long that may take.
type Scrape struct {
	MaxTenants int          `help:"Tenants that have metrics of their own: the busiest. The others share those of the tenant \"other\"." env:"METRICS_MAX_TENANTS" name:"metrics-max-tenants" default:"1000"`
	Patience   Milliseconds `help:"How long other nodes have to send their metrics. One that does not is named by tutti_node_scraped." env:"METRICS_RPC_TIMEOUT_IN_MS" name:"metrics-rpc-timeout" default:"5s"`
}
