package app

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/gate"
	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/secret"
	"github.com/tutti-realtime/tutti/internal/socket"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

// Config is all that an operator may choose: flags of the command line and
// variables of the environment, under the reference's names where it has them.
type Config struct {
	Port          int    `help:"Port to listen on." env:"PORT" default:"4000"`
	Host          string `help:"Address to listen on; empty for all." env:"HOST"`
	Tenants       string `help:"File that holds the tenants; see docs/tenants.md." env:"TENANTS_FILE" type:"path" placeholder:"tenants.yaml"`
	DefaultTenant string `help:"Tenant of hosts that name none: an IP address, localhost." env:"DEFAULT_TENANT"`

	TLSCert string `help:"Certificate, to end TLS in this process." env:"TLS_CERT" type:"existingfile" group:"TLS"`
	TLSKey  string `help:"Key of the certificate." env:"TLS_KEY" type:"existingfile" group:"TLS"`

	DevTenant string `help:"Name of the ready-made tenant, when there is no file." env:"SELF_HOST_TENANT_NAME" default:"realtime-dev" group:"Ready-made tenant"`
	DevSecret string `help:"Its JWT secret; made up when not given." env:"API_JWT_SECRET" group:"Ready-made tenant"`
	DevJWKS   string `help:"Its JWK set, as JSON." env:"API_JWT_JWKS" group:"Ready-made tenant"`

	DevExtensions Claims `help:"Its extensions with their settings, as JSON." env:"SELF_HOST_EXTENSIONS" group:"Ready-made tenant" placeholder:"{\"music\":{}}"`

	DB       Control  `embed:"" prefix:"db-" group:"Control database"`
	Seed     bool     `help:"Make the ready-made tenant in the control database anew at start, with that database as its own." env:"SEED_SELF_HOST" name:"seed-self-host" group:"Control database"`
	Region   string   `help:"Region of this node." env:"REGION"`
	AppName  string   `help:"Name of this node, by which PostgreSQL shows its connections." env:"APP_NAME" default:"tutti"`
	API      API      `embed:"" group:"Management"`
	Limits   Limits   `embed:"" prefix:"max-" group:"Limits of tenants that name none"`
	Admin    Admin    `embed:"" group:"Console"`
	Rows     Rows     `embed:"" group:"Changes of rows"`
	Cluster  Cluster  `embed:"" group:"Cluster"`
	Tuning   Tuning   `embed:"" group:"Tuning"`
	TLS      TLS      `embed:"" prefix:"tls-" group:"TLS"`
	Security Security `embed:"" group:"Security"`
	Metrics  Metrics  `embed:"" group:"Metrics"`
	Scrape   Scrape   `embed:"" group:"Metrics"`
	Traces   Traces   `embed:"" prefix:"otel-" group:"Traces"`

	ClaimValidators  Claims       `help:"Claims that every token must have, as JSON." env:"JWT_CLAIM_VALIDATORS" group:"Tokens" placeholder:"{}"`
	RequestIDBaggage string       `help:"Baggage entry that holds the request id." env:"REQUEST_ID_BAGGAGE_KEY" group:"Logs"`
	LogLevel         string       `help:"How much to log." env:"LOG_LEVEL" enum:"debug,info,warn,error" default:"info" group:"Logs"`
	LogFormat        string       `help:"How to log." env:"LOG_FORMAT" enum:"text,json" default:"text" group:"Logs"`
	Grace            Milliseconds `help:"How long a stop may take." env:"SHUTDOWN_GRACE_MS" default:"10s"`
	DrainDelay       Milliseconds `help:"How long a node that stops says that it is not ready, before it refuses anybody: as long as load balancers need to notice." env:"DRAIN_DELAY_MS" default:"0s"`
	DrainSpread      Milliseconds `help:"Over how long a node that stops hangs up on its clients, so that they do not all come to the other nodes at once. Without other nodes there is no need." env:"DRAIN_SPREAD_MS" default:"5s"`

	Version    string            `kong:"-"` // of this build
	Extensions []tutti.Extension `kong:"-"` // that tenants may have
}

// API is who may manage tenants over HTTP: tokens signed with API_JWT_SECRET,
// which is also the ready-made tenant's, or with the next one while a change of
// secrets is under way.
type API struct {
	NextSecret string   `help:"A second secret of the tokens that may manage tenants." env:"API_JWT_SECRET_NEXT" name:"api-jwt-secret-next"`
	Blocklist  []string `help:"Tokens that may not." env:"API_TOKEN_BLOCKLIST" name:"api-token-blocklist"`
}

// Control is where the tenants are, when they are in a PostgreSQL database: it is
// used when a host is given. The variables are the reference's.
type Control struct {
	Host         string `help:"Host of the control database; without it tenants come from a file." env:"DB_HOST"`
	Port         uint16 `help:"Its port." env:"DB_PORT" default:"5432"`
	Name         string `help:"Name of the database." env:"DB_NAME" default:"postgres"`
	User         string `help:"User." env:"DB_USER" default:"supabase_admin"`
	Password     string `help:"Password." env:"DB_PASSWORD" default:"postgres"`
	AfterConnect string `help:"SQL run on each new connection; it chooses the schema." env:"DB_AFTER_CONNECT_QUERY" default:"SET search_path TO _realtime"`
	SSL          bool   `help:"Connect with TLS." env:"DB_SSL" name:"ssl"`
	SSLCACert    string `help:"File of certificates that may sign the database's." env:"DB_SSL_CA_CERT" name:"ssl-ca-cert"`
	IPVersion    string `help:"auto, ipv4 or ipv6." env:"DB_IP_VERSION" default:"auto" name:"ip-version"`
	PoolSize     int    `help:"Connections." env:"DB_POOL_SIZE" default:"5"`
	EncKey       string `help:"16 bytes: key of secrets in the old form." env:"DB_ENC_KEY"`
	EncKeyGCM    string `help:"32 bytes: key of secrets in the new form." env:"DB_ENC_KEY_GCM" name:"enc-key-gcm"`
	EncWriteGCM  bool   `help:"Write secrets in the new form." env:"DB_ENC_WRITE_GCM" name:"enc-write-gcm"`
}

// Open connects nowhere yet: it returns the store, and the cipher of its secrets.
func (c *Control) Open(appName string, extensions []tutti.Extension) (*postgres.Control, *secret.Cipher, error) {
	cipher, err := secret.New(secret.Config{Key: c.EncKey, KeyGCM: c.EncKeyGCM, WriteGCM: c.EncWriteGCM})
	if err != nil {
		return nil, nil, err
	}
	store, err := postgres.OpenControl(postgres.ControlConfig{
		Host: c.Host, Port: c.Port, Name: c.Name, User: c.User, Password: c.Password,
		SSL: c.SSL, SSLCACert: c.SSLCACert, IPVersion: c.IPVersion, PoolSize: c.PoolSize,
		AfterConnect: c.AfterConnect, AppName: appName, Extensions: extensions,
	}, cipher)
	return store, cipher, err
}

// Limits are what a tenant may do that does not say itself.
type Limits struct {
	Users          int `help:"Sockets with a channel." env:"TENANT_MAX_CONCURRENT_USERS" default:"200"`
	Events         int `help:"Events per second." env:"TENANT_MAX_EVENTS_PER_SECOND" default:"100"`
	Joins          int `help:"Joins per second." env:"TENANT_MAX_JOINS_PER_SECOND" default:"100"`
	Channels       int `help:"Channels per socket." env:"TENANT_MAX_CHANNELS_PER_CLIENT" default:"100"`
	Bytes          int `help:"Bytes per second; shown, not enforced." env:"TENANT_MAX_BYTES_PER_SECOND" default:"100000"`
	PresenceEvents int `help:"Presence events per second." env:"TENANT_MAX_PRESENCE_EVENTS_PER_SECOND" default:"1000"`
	PayloadKB      int `help:"Kilobytes of one message." env:"TENANT_MAX_PAYLOAD_SIZE_IN_KB" default:"3000"`

	PresenceCalls  int          `help:"Presence messages of one channel per window." env:"CLIENT_PRESENCE_MAX_CALLS" default:"5"`
	PresenceWindow Milliseconds `help:"Length of that window." env:"CLIENT_PRESENCE_WINDOW_MS" default:"30s"`
}

// Defaults returns what tenants have that name nothing else.
func (c *Config) Defaults() tenant.Defaults {
	d := c.Limits.Defaults()
	d.Extensions = append(slices.Clone(c.Extensions), gate.Extension())
	return d
}

// Defaults returns them as the room of the tenants knows them.
func (l Limits) Defaults() tenant.Defaults {
	return tenant.Defaults{
		MaxConcurrentUsers: l.Users, MaxEventsPerSecond: l.Events, MaxJoinsPerSecond: l.Joins,
		MaxChannelsPerClient: l.Channels, MaxBytesPerSecond: l.Bytes,
		MaxPresenceEventsPerSecond: l.PresenceEvents, MaxPayloadSizeKB: l.PayloadKB,
	}
}

// Rows is how the changes of tenants' databases are read.
type Rows struct {
	SlotSuffix string       `help:"Added to the names of replication slots: lower-case letters, digits and underscores. Two servers on one database need two." env:"SLOT_NAME_SUFFIX"`
	Idle       Milliseconds `help:"How long changes are read that nobody subscribes to; then the replication slot is dropped." env:"FEED_IDLE_MS" name:"feed-idle" default:"10m"`
	Keep       Milliseconds `help:"How long a database keeps its log for a node that is missing or cannot follow; then its clients are told that changes were lost." env:"FEED_KEEP_MS" name:"feed-keep" default:"2m"`
}

// Tuning is what few need to change.
type Tuning struct {
	ConnectBackoff Milliseconds `help:"How long the refusal of a connection waits." env:"CONNECT_ERROR_BACKOFF_MS" default:"2s"`
	ChannelBackoff Milliseconds `help:"How long the refusal of a join waits." env:"CHANNEL_ERROR_BACKOFF_MS" default:"5s"`
	Idle           Milliseconds `help:"Silence after which a client is hung up on." env:"SOCKET_IDLE_TIMEOUT_MS" default:"60s"`
	NoChannel      Milliseconds `help:"How often clients that left all channels are dropped." env:"NO_CHANNEL_TIMEOUT_IN_MS" default:"10m"`
	TenantCache    Milliseconds `help:"How long a tenant is taken to be as it was." env:"TENANT_CACHE_EXPIRATION_IN_MS" default:"30s"`
	MaxHeader      int          `help:"Bytes of one header value." env:"MAX_HEADER_LENGTH" default:"16384"`
	MaxFrame       int          `help:"Bytes of one message of a client." env:"MAX_FRAME_BYTES" default:"5000000"`
	QueueBytes     int          `help:"Bytes that may wait for one slow client." env:"CLIENT_QUEUE_BYTES" default:"4194304"`
	QueueAge       Milliseconds `help:"How long a client may take nothing." env:"CLIENT_QUEUE_AGE_MS" default:"15s"`
	SendBuffer     int          `help:"Bytes of the kernel's send buffer; 0 leaves it to the kernel." env:"SOCKET_SEND_BUFFER" default:"65536"`
	Loops          int          `help:"Event loops; 0 for one per core." env:"EVENT_LOOPS" default:"0"`
	Portable       bool         `help:"A goroutine for each connection in place of epoll." env:"PORTABLE_SOCKETS"`
}

func (t Tuning) socket() socket.Settings {
	return socket.Settings{
		Loops: t.Loops, Portable: t.Portable,
		MaxFrame: t.MaxFrame, MaxHeader: t.MaxHeader,
		QueueBytes: t.QueueBytes, QueueAge: time.Duration(t.QueueAge), SendBuffer: t.SendBuffer,
		Idle: time.Duration(t.Idle), Abandoned: time.Duration(t.NoChannel),
		ConnectBackoff: time.Duration(t.ConnectBackoff), CloseHandshake: closeHandshake,
	}
}

// closeHandshake is how long a client has to close after the server did.
const closeHandshake = 5 * time.Second

// Metrics is who may read the metrics.
type Metrics struct {
	Secret    string   `help:"Secret of the tokens that may read /metrics; without it nobody may." env:"METRICS_JWT_SECRET" name:"metrics-jwt-secret"`
	Next      string   `help:"A second such secret, while the first is being changed." env:"METRICS_JWT_SECRET_NEXT" name:"metrics-jwt-secret-next"`
	Blocklist []string `help:"Tokens that may not." env:"METRICS_TOKEN_BLOCKLIST" name:"metrics-token-blocklist"`
}

// Milliseconds is a duration that may be written as a plain number of
// milliseconds, as the reference does, or with its unit.
type Milliseconds time.Duration

// UnmarshalText reads "2000" or "2s".
func (m *Milliseconds) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		s = strconv.FormatInt(n, 10) + "ms"
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return fmt.Errorf("must be a time such as 2000 (milliseconds) or 2s, got %q", text)
	}
	*m = Milliseconds(d)
	return nil
}

// Claims is a JSON object, such as one of claims.
type Claims map[string]any

// UnmarshalText reads a JSON object.
func (c *Claims) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	if err := json.Unmarshal(text, (*map[string]any)(c)); err != nil {
		return fmt.Errorf("must be a JSON object: %w", err)
	}
	return nil
}
