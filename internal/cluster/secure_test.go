package cluster

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/tutti-realtime/tutti"
)

// An authority signs the certificates of nodes.
type authority struct {
	folder string
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{folder: t.TempDir()}
	a.key = newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "nodes"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	writePEM(t, filepath.Join(a.folder, "ca.pem"), "CERTIFICATE", der)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func writePEM(t *testing.T, name, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// node returns what a node of this authority needs.
func (a *authority) node(t *testing.T) *tls.Config {
	t.Helper()
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, filepath.Join(a.folder, "node.pem"), "CERTIFICATE", der)
	writePEM(t, filepath.Join(a.folder, "key.pem"), "EC PRIVATE KEY", private)
	config, err := LoadTLS(filepath.Join(a.folder, "node.pem"), filepath.Join(a.folder, "key.pem"), filepath.Join(a.folder, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func TestOnlyNodesOfTheClusterComeIn(t *testing.T) {
	t.Parallel()
	own, foreign := newAuthority(t), newAuthority(t)
	settings := func(name string, a *authority, password string) Settings {
		s := testSettings(name)
		s.User, s.Password = "nodes", password
		if a != nil {
			s.TLS = a.node(t)
		}
		return s
	}
	a := begin(t, settings("a", own, "secret"), nil)
	b := begin(t, settings("b", own, "secret"), nil, a)
	intruders := []*testNode{
		begin(t, settings("wrong-password", own, "guess"), nil, a),
		begin(t, settings("wrong-authority", foreign, "secret"), nil, a),
		begin(t, settings("no-tls", nil, "secret"), nil, a),
		begin(t, func() Settings { s := settings("other-cluster", own, "secret"); s.Name = "other"; return s }(), nil, a),
	}
	meet(t, a, b)
	tune(t, a, room("r"), b)
	for _, n := range intruders {
		n.Want(room("r"), true)
	}
	before := a.Stats().Sent // three heartbeats and their confirmations, and as many tries to come in
	eventually(t, "time passes", func() bool { return a.Stats().Sent > before+6 })
	a.Publish(tutti.Message{Topic: room("r"), Event: "private"})
	meet(t, a, b)
	for _, n := range intruders {
		if len(n.Members()) != 1 || len(n.texts()) != 0 {
			t.Errorf("%s has come in: %v, heard %q", n.settings.Node, n.Members(), n.texts())
		}
	}
}

func TestTheServersPortForClientsIsOfNoUse(t *testing.T) {
	t.Parallel()
	a := begin(t, testSettings("a"), nil)
	url := a.engine.server.ClientURL()
	for name, option := range map[string]nats.Option{
		"nobody":                 nats.Name("x"),
		"the node, over TCP":     nats.UserInfo("node", a.engine.password),
		"the node, another word": nats.UserInfo("node", "guess"),
	} {
		if c, err := nats.Connect(url, option); err == nil {
			c.Close()
			t.Errorf("%s has come in", name)
		}
	}
}

func TestAnExternalNATS(t *testing.T) {
	t.Parallel()
	options := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, Username: "u", Password: "p"}
	start := func() *server.Server {
		s, err := server.NewServer(options)
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		if !s.ReadyForConnections(patience) {
			t.Fatal("NATS does not start")
		}
		return s
	}
	s := start()
	settings := func(name string) Settings {
		settings := testSettings(name)
		settings.Lost = 5 * time.Second // a busy machine may keep a node from its lease for one
		settings.Listen, settings.URL, settings.User, settings.Password = "", s.ClientURL(), "u", "p"
		return settings
	}
	a := begin(t, settings("a"), nil)
	b := begin(t, settings("b"), nil)
	meet(t, a, b)
	tune(t, a, room("r"), b)
	l := hold(t, a, "x")

	options.Port = s.Addr().(*net.TCPAddr).Port
	s.Shutdown()
	s.WaitForShutdown()
	eventually(t, "b is missed", func() bool { return len(a.Members()) == 1 })
	if !l.Valid() {
		t.Error("a node that is alone has lost its lease") // as is said of clusters without a quorum
	}
	s = start()
	defer func() { s.Shutdown(); s.WaitForShutdown() }()
	meet(t, a, b)
	b.note(func() { b.heard = nil })
	tune(t, a, room("r"), b)
	eventually(t, "b was told that it may have missed something", func() (told bool) {
		b.note(func() { told = b.missed > 0 })
		return told
	})
}

func TestAPortThatIsTaken(t *testing.T) {
	t.Parallel()
	a := begin(t, testSettings("a"), nil)
	s := testSettings("b")
	s.Listen = a.Address()
	b, err := New(s, a.log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := b.Run(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("Run: %v", err)
	}
	if _, err := b.Hold(ctx, "x"); err == nil {
		t.Error("a node that never was holds")
	}
}
