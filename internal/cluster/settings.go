package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Settings is what an operator says about a node of a cluster. Zero values are
// replaced by what their comments say. Lost, Buckets and Name must be the same
// on all nodes.
type Settings struct {
	Node      string   // unique in the cluster: up to 64 letters, digits, dots, dashes, underscores
	Region    string   // shown to others
	Version   string   // shown to others
	Addresses []string // where clients reach the node, shown to others

	// Listen is where other nodes come in: host:port, of an IP address or a name
	// that is one. Port 0 is any free one.
	Listen    string
	Advertise string // host:port that other nodes are told, when it is not Listen
	Name      string // of the cluster; "tutti"
	User      string // what nodes say to each other
	Password  string
	TLS       *tls.Config // for both ends of a route; LoadTLS makes one

	// URL is that of a NATS server, or several with commas between them. With it
	// nothing is embedded and Listen is not used.
	URL         string
	Credentials string // file with the credentials that it wants, "" for none

	Plain bool // the network between nodes, and to NATS, is private and needs no TLS

	Linger     time.Duration // topics are heard for so long after their last listener left; 5 s
	Lost       time.Duration // a node is lost that was silent for so long; 5 s, 500 ms at least
	Quorum     int           // nodes that must hear each other for one to have a lease; 0 for no such rule
	Buckets    int           // parts into which topics fall, a power of two; 65,536
	Outgoing   int           // bytes that may wait to be sent; 64 MB
	Incoming   int           // bytes that may wait to be heard; 64 MB
	MaxMessage int           // bytes of the largest message; 1 KB less than 8 MB, above which NATS warns
}

var (
	errName   = errors.New("a name must have 1 to 255 bytes")
	nodeNames = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
)

// normal returns the settings with nothing left open, or what is wrong.
func (s Settings) normal() (Settings, error) {
	s.Name = or(s.Name, "tutti")
	s.Linger = or(s.Linger, 5*time.Second)
	s.Lost = or(s.Lost, 5*time.Second)
	s.Buckets = or(s.Buckets, 1<<16)
	s.Outgoing = or(s.Outgoing, 64<<20)
	s.Incoming = or(s.Incoming, 64<<20)
	s.MaxMessage = or(s.MaxMessage, 8<<20-1024)
	switch {
	case !nodeNames.MatchString(s.Node):
		return s, fmt.Errorf("the node's name %q must be 1 to 64 letters, digits, dots, dashes or underscores", s.Node)
	case !nodeNames.MatchString(s.Name):
		return s, fmt.Errorf("the cluster's name %q must be 1 to 64 letters, digits, dots, dashes or underscores", s.Name)
	case s.Lost < 500*time.Millisecond:
		return s, fmt.Errorf("a node cannot be lost after %v: heartbeats take 500 ms at least", s.Lost)
	case s.Linger < 0 || s.Quorum < 0 || s.Outgoing < 0 || s.Incoming < 0:
		return s, errors.New("times and sizes must not be negative")
	case s.Buckets < 1 || s.Buckets > 1<<20 || s.Buckets&(s.Buckets-1) != 0:
		return s, fmt.Errorf("buckets must be a power of two up to 1048576, not %d", s.Buckets)
	case s.MaxMessage < 1 || s.MaxMessage > 64<<20:
		return s, fmt.Errorf("the largest message must be between 1 byte and 64 MB, not %d", s.MaxMessage)
	case s.User == "" != (s.Password == ""):
		return s, errors.New("user and password go together")
	}
	if s.URL != "" {
		return s, s.checkURL()
	}
	return s, s.checkListen()
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// checkListen refuses to open the bus to a network without both: rows of
// databases cross it before anybody has judged who may see them, and whoever
// is on it may speak for any node.
func (s *Settings) checkListen() error {
	host, port, err := net.SplitHostPort(s.Listen)
	if err != nil {
		return fmt.Errorf("listen for nodes on %q: %w", s.Listen, err)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("listen for nodes on %q: the port is no number of a port", s.Listen)
	}
	if !loopback(host) && (s.User == "" || s.TLS == nil && !s.Plain) {
		return fmt.Errorf("listen for nodes on %q: an address that others can reach needs TLS and a user with a password; "+
			"a network that is said to be private, the password alone", s.Listen)
	}
	if s.TLS == nil && public(host) {
		return fmt.Errorf("listen for nodes on %q: an address of the internet needs TLS, whatever is said of it", s.Listen)
	}
	if s.TLS != nil && len(s.TLS.Certificates) == 0 && s.TLS.GetCertificate == nil {
		return errors.New("listen for nodes with TLS: there is no certificate")
	}
	return nil
}

func (s *Settings) checkURL() error {
	for raw := range strings.SplitSeq(s.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(raw))
		if err != nil || u.Host == "" {
			return errors.New("the URL of NATS cannot be read") // it may hold a password
		}
		safe := u.Scheme == "tls" || u.Scheme == "wss" || s.TLS != nil
		known := u.User != nil || s.User != "" || s.Credentials != ""
		if !loopback(u.Hostname()) && !s.Plain && (!safe || !known) {
			return fmt.Errorf("NATS at %s: an address that others can reach needs TLS and credentials, "+
				"unless the way there is said to be private", u.Host)
		}
	}
	return nil
}

// loopback reports whether a host is this machine and can be nothing else.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// public reports whether a host is an address that belongs to no private network.
func public(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && !ip.IsLoopback() && !ip.IsPrivate() && !ip.IsLinkLocalUnicast() && !ip.IsUnspecified()
}

// LoadTLS reads what routes need from PEM files: the node's certificate and
// key, and the authority that signed those of all nodes. Each end demands that
// the other shows a certificate of that authority.
func LoadTLS(cert, key, authority string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("load the node's certificate: %w", err)
	}
	pem, err := os.ReadFile(authority)
	if err != nil {
		return nil, fmt.Errorf("load the authority of nodes: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("load the authority of nodes: no certificate in %s", authority)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{pair}, RootCAs: pool, ClientCAs: pool,
		ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
	}, nil
}
