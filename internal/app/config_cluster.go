package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/tutti-realtime/tutti/internal/cluster"
)

// Cluster is how a node finds others and speaks to them. A node is one of
// a cluster when it listens for others, or is given a NATS.
type Cluster struct {
	Node    string `help:"Name of this node, unique in the cluster; the host's when not given." env:"NODE_NAME" name:"node-name"`
	Address string `help:"Where clients reach this node; shown to others." env:"NODE_ADDRESS" name:"node-address"`

	Listen    string   `help:"host:port where other nodes come in." env:"CLUSTER_LISTEN" name:"cluster-listen"`
	Advertise string   `help:"host:port that other nodes are told, when it is another." env:"CLUSTER_ADVERTISE" name:"cluster-advertise"`
	Peers     []string `help:"host:port of other nodes. One that is there is enough. With a control database nodes find each other there." env:"CLUSTER_PEERS" name:"cluster-peers"`
	DNS       string   `help:"name:port of which each address is a node." env:"CLUSTER_DNS" name:"cluster-dns"`
	Name      string   `help:"Name of the cluster." env:"CLUSTER_NAME" name:"cluster-name" default:"tutti"`
	User      string   `help:"What nodes, or NATS, are told to be let in." env:"CLUSTER_USER" name:"cluster-user"`
	Password  string   `help:"And its password." env:"CLUSTER_PASSWORD" name:"cluster-password"`
	TLSCert   string   `help:"Certificate of this node for other nodes." env:"CLUSTER_TLS_CERT" name:"cluster-tls-cert" type:"existingfile"`
	TLSKey    string   `help:"Its key." env:"CLUSTER_TLS_KEY" name:"cluster-tls-key" type:"existingfile"`
	TLSCA     string   `help:"Certificates that may sign those of nodes." env:"CLUSTER_TLS_CA" name:"cluster-tls-ca" type:"existingfile"`
	Private   bool     `help:"The network between nodes is private: no TLS. Rows of databases cross it before anybody has judged who may see them." env:"CLUSTER_PRIVATE" name:"cluster-private"`

	NATS            string       `help:"URL of a NATS server to use in place of the embedded one; several with commas between." env:"NATS_URL" name:"nats-url"`
	NATSCredentials string       `help:"File with the credentials that it wants." env:"NATS_CREDENTIALS" name:"nats-credentials" type:"existingfile"`
	Lost            Milliseconds `help:"A node is lost that was silent for so long." env:"CLUSTER_LOST_MS" name:"cluster-lost" default:"5s"`
	Quorum          int          `help:"Nodes that must hear each other for one to read a database, or to own a room; 0 for any." env:"CLUSTER_QUORUM" name:"cluster-quorum" default:"0"`
}

// Several reports whether the node is one of a cluster.
func (c *Cluster) Several() bool { return c.Listen != "" || c.NATS != "" }

// bus returns what a bus is made of.
func (c *Config) bus() (s cluster.Settings, err error) {
	n := &c.Cluster
	s = cluster.Settings{
		Node: n.Node, Region: c.Region, Version: c.Version,
		Listen: n.Listen, Advertise: n.Advertise, Name: n.Name, User: n.User, Password: n.Password,
		URL: n.NATS, Credentials: n.NATSCredentials, Plain: n.Private,
		Lost: time.Duration(n.Lost), Quorum: n.Quorum,
		Linger: 15 * time.Second, // longer than presence does, which takes a topic it knows for one that others send
	}
	if s.Node == "" {
		if s.Node, err = os.Hostname(); err != nil {
			return s, fmt.Errorf("name this node (NODE_NAME): %w", err)
		}
	}
	if n.Address != "" {
		s.Addresses = []string{n.Address}
	}
	s.TLS, err = n.tls()
	return s, err
}

func (c *Cluster) tls() (*tls.Config, error) {
	switch len(given(c.TLSCert, c.TLSKey, c.TLSCA)) {
	case 0:
		return nil, nil
	case 1, 2:
		return nil, errors.New("TLS between nodes needs all three of CLUSTER_TLS_CERT, CLUSTER_TLS_KEY and CLUSTER_TLS_CA")
	}
	config, err := cluster.LoadTLS(c.TLSCert, c.TLSKey, c.TLSCA)
	if err == nil && c.DNS != "" { // addresses come and go, the name is what certificates hold
		config.ServerName, _, err = net.SplitHostPort(c.DNS)
	}
	return config, err
}

// lookup returns what finds other nodes by the name, nil without one.
func (c *Cluster) lookup() (func(context.Context) ([]string, error), error) {
	if c.DNS == "" {
		return nil, nil
	}
	host, port, err := net.SplitHostPort(c.DNS)
	if err != nil {
		return nil, fmt.Errorf("CLUSTER_DNS must be name:port: %w", err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("CLUSTER_DNS must be name:port: the port of %q is no number", c.DNS)
	}
	return cluster.DNS(host, n), nil
}
