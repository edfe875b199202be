//go:build linux

package chaos

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti/internal/yard"
)

// certificates makes an authority and a certificate for all nodes of a yard, and
// returns the variables that have nodes use them.
func certificates(t *testing.T, dir string, y yard.Network) []string {
	t.Helper()
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "chaos"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	nodes := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "node"},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, p := range trio {
		nodes.IPAddresses = append(nodes.IPAddresses, net.ParseIP(y.Address(p)))
	}
	authorityKey, nodesKey := newKey(t), newKey(t)
	ca, cert, key := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	write(t, ca, "CERTIFICATE", sign(t, authority, authority, &authorityKey.PublicKey, authorityKey))
	write(t, cert, "CERTIFICATE", sign(t, nodes, authority, &nodesKey.PublicKey, authorityKey))
	der, err := x509.MarshalECPrivateKey(nodesKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, key, "EC PRIVATE KEY", der)
	return []string{
		"CLUSTER_TLS_CERT=" + cert, "CLUSTER_TLS_KEY=" + key, "CLUSTER_TLS_CA=" + ca,
		"CLUSTER_USER=chaos", "CLUSTER_PASSWORD=" + secret,
	}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t *testing.T, what, by *x509.Certificate, public *ecdsa.PublicKey, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, what, by, public, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func write(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}
