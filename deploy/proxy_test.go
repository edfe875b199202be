package deploy

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tutti-realtime/tutti/internal/auth"
)

const secret = "a secret of thirty-two characters"

// tenants are two, so that one can be mistaken for the other.
const tenants = "tenants:\n  - external_id: acme\n    jwt_secret: " + secret + "\n  - external_id: school\n    jwt_secret: another " + secret + "\n"

// connect opens a WebSocket as a client does, joins a topic and leaves. Without
// dial it goes where the address says, without a tenant.
func connect(t *testing.T, address string, client *http.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	token, err := auth.Mint(secret, map[string]any{"role": "anon", "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	c, response, err := websocket.Dial(ctx, address+"/realtime/v1/websocket?vsn=1.0.0&apikey="+token, &websocket.DialOptions{HTTPClient: client})
	if client == nil && response != nil && response.StatusCode == http.StatusForbidden {
		return // the ready-made tenant has a secret of its own
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	join := `{"topic":"realtime:room","event":"phx_join","payload":{"config":{}},"ref":"1","join_ref":"1"}`
	if err := c.Write(ctx, websocket.MessageText, []byte(join)); err != nil {
		t.Fatal(err)
	}
	if _, reply, err := c.Read(ctx); err != nil || !strings.Contains(string(reply), `"status":"ok"`) {
		t.Errorf("the join was answered %s (%v)", reply, err)
	}
}

// A front is a proxy that runs, and a client that takes every name for it.
type front struct {
	port   string
	client *http.Client
}

func TestNginxInFront(t *testing.T) {
	t.Parallel()
	nginx := tool(t, "nginx")
	n, folder, pem, key := behind(t)
	ports := freePorts(t, 2)
	text := read(t, "nginx/tutti.conf")
	text = must(t, text, "127.0.0.1:4000", strings.TrimPrefix(n.base, "http://"))
	text = must(t, text, "/etc/ssl/tutti.pem", pem)
	text = must(t, text, "/etc/ssl/private/tutti.key", key)
	text = must(t, text, "listen 443 ", "listen 127.0.0.1:"+ports[0]+" ")
	text = must(t, text, "listen 80;", "listen 127.0.0.1:"+ports[1]+";")
	// Of nginx's own files it wants only those that it can write to here.
	whole := fmt.Sprintf("daemon off;\nuser root;\npid %[1]s/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n"+
		"client_body_temp_path %[1]s/a;\nproxy_temp_path %[1]s/b;\nfastcgi_temp_path %[1]s/c;\nuwsgi_temp_path %[1]s/d;\nscgi_temp_path %[1]s/e;\n%[2]s}\n", folder, text)
	if os.Getuid() != 0 {
		whole = must(t, whole, "user root;\n", "")
	}
	file := filepath.Join(folder, "nginx.conf")
	if err := os.WriteFile(file, []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, nginx, "-t", "-e", "stderr", "-c", file); err != nil {
		t.Fatalf("nginx -t: %v\n%s", err, out)
	}
	f := inFront(t, exec.Command(nginx, "-e", "stderr", "-c", file), ports[0], pem)
	f.check(t)

	response := f.get(t, "http://acme.realtime.example.com:"+ports[1]+"/x?y=z")
	if got, want := response.Header.Get("Location"), "https://acme.realtime.example.com/x?y=z"; response.StatusCode != 301 || got != want {
		t.Errorf("without TLS: %s to %q, want %q", response.Status, got, want)
	}
}

func TestCaddyInFront(t *testing.T) {
	t.Parallel()
	caddy := tool(t, "caddy")
	n, folder, pem, key := behind(t)
	ports := freePorts(t, 1)
	text := read(t, "caddy/Caddyfile")
	text = must(t, text, "127.0.0.1:4000", strings.TrimPrefix(n.base, "http://"))
	text = must(t, text, "realtime.example.com, *.realtime.example.com {",
		fmt.Sprintf("https://realtime.example.com:%[1]s, https://*.realtime.example.com:%[1]s {\n\ttls %[2]s %[3]s", ports[0], pem, key))
	text = "{\n\tadmin off\n\tauto_https off\n}\n" + text
	file := filepath.Join(folder, "Caddyfile")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(caddy, "run", "--config", file)
	cmd.Env = []string{"HOME=" + folder}
	inFront(t, cmd, ports[0], pem).check(t)
}

// behind starts a server with tenants, and makes a certificate of its names.
func behind(t *testing.T) (n *node, folder, pem, key string) {
	t.Helper()
	folder = t.TempDir()
	file := filepath.Join(folder, "tenants.yaml")
	if err := os.WriteFile(file, []byte(tenants), 0o600); err != nil {
		t.Fatal(err)
	}
	n = start(t, exec.Command(build(t), "serve"), "PORT=0", "HOST=127.0.0.1", "TENANTS_FILE="+file,
		"TRUSTED_PROXIES=127.0.0.1", "DRAIN_SPREAD_MS=0")
	n.base = strings.Replace(n.base, "localhost", "127.0.0.1", 1)
	pem, key = certificate(t, folder)
	return n, folder, pem, key
}

// inFront starts a proxy and returns when it listens.
func inFront(t *testing.T, cmd *exec.Cmd, port, certificate string) *front {
	t.Helper()
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Signal(os.Interrupt); <-ended })
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(read(t, certificate)))
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			var d net.Dialer
			return d.DialContext(ctx, network, "127.0.0.1:"+port)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	f := &front{port, &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	for until := time.Now().Add(patience); ; {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = c.Close()
			return f
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("it ended: %v\n%s", err, log.String())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(until) {
			t.Fatalf("it does not listen: %v", err)
		}
	}
}

func (f *front) get(t *testing.T, address string) *http.Response {
	t.Helper()
	response, err := f.client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response
}

// check has a client of a tenant come through the proxy.
func (f *front) check(t *testing.T) {
	t.Helper()
	base := "acme.realtime.example.com:" + f.port
	// Caddy asks first whether the node is ready.
	for until := time.Now().Add(patience); ; {
		if r := f.get(t, "https://"+base+"/health/ready"); r.StatusCode == http.StatusOK {
			break
		} else if time.Now().After(until) {
			t.Fatalf("the node is %s", r.Status)
		}
	}
	connect(t, "wss://"+base, f.client)
	if r := f.get(t, "https://"+base+"/metrics"); r.StatusCode == http.StatusNotFound {
		t.Errorf("metrics are %s for this machine", r.Status)
	}
	// The other tenant has another secret: the host has been passed on.
	token, err := auth.Mint(secret, map[string]any{"role": "anon", "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	for tenant, want := range map[string]int{"acme": http.StatusAccepted, "school": http.StatusUnauthorized, "nobody": http.StatusUnauthorized} {
		address := "https://" + tenant + ".realtime.example.com:" + f.port + "/realtime/v1/api/broadcast/room/events/hello"
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(`{"a":1}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("apikey", token)
		request.Header.Set("Content-Type", "application/json")
		response, err := f.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("a broadcast of %s is answered %s: %s", tenant, response.Status, body)
		}
	}
}

// freePorts returns ports on which nobody listened a moment ago.
func freePorts(t *testing.T, n int) (ports []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		ports = append(ports, port)
	}
	return ports
}

// certificate makes one for the names in the examples, and returns its files.
func certificate(t *testing.T, folder string) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"realtime.example.com", "*.realtime.example.com"},
		IsCA:     true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	for path, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, key
}
