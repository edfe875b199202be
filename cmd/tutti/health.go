package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/alecthomas/kong"
)

// A healthCommand is what an image without a shell has in place of curl. Its
// variables are the server's, so that beside one it needs no flags.
type healthCommand struct {
	URL     string        `help:"Address of the server; this machine's when not given." name:"url" placeholder:"http://host:4000"`
	Live    bool          `help:"Ask whether the process does its work, not whether clients should come to it."`
	JSON    bool          `help:"Print JSON."`
	Timeout time.Duration `help:"How long an answer may take." default:"3s"`

	Port    int    `help:"Port of the server on this machine." env:"PORT" default:"4000"`
	Host    string `help:"Address on which it listens." env:"HOST"`
	TLSCert string `help:"It speaks TLS when it has a certificate." env:"TLS_CERT"`
}

// A healthAnswer is what was found out.
type healthAnswer struct {
	URL     string `json:"url"` // that was asked
	Healthy bool   `json:"healthy"`
	Reason  string `json:"reason,omitempty"`
}

// errUnhealthy is the end of a command that got an answer, and has printed it.
var errUnhealthy = errors.New("the server is not healthy")

// Run asks, and prints the answer. Its error is for the status of the process.
func (h *healthCommand) Run(ctx context.Context, k *kong.Context) error {
	address, own, err := h.address()
	if err != nil {
		return finish(ctx, k, err)
	}
	ctx, cancel := context.WithTimeout(ctx, h.Timeout)
	defer cancel()
	a := healthAnswer{URL: address}
	if a.Reason = askHealth(ctx, address, own); a.Reason == "" {
		a.Healthy = true
	}
	if err := a.print(h.JSON); err != nil {
		return err
	}
	if !a.Healthy {
		return errUnhealthy
	}
	return nil
}

// address returns what is asked, and whether it was made up of the variables of
// a server on this machine.
func (h *healthCommand) address() (address string, own bool, err error) {
	path := "/health/ready"
	if h.Live {
		path = "/health/live"
	}
	if h.URL != "" {
		base, err := url.Parse(h.URL)
		if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
			return "", false, wrongUsef("--url %q is no address of a server: write it as http://host:4000", h.URL)
		}
		return base.JoinPath(path).String(), false, nil
	}
	base := url.URL{Scheme: "http", Host: net.JoinHostPort(h.host(), strconv.Itoa(h.Port)), Path: path}
	if h.TLSCert != "" {
		base.Scheme = "https"
	}
	return base.String(), true, nil
}

// host returns where a server can be reached that listens on Host. It is no name:
// an image without /etc/hosts does not know what localhost is.
func (h *healthCommand) host() string {
	switch ip := net.ParseIP(h.Host); {
	case h.Host == "" || ip.Equal(net.IPv4zero):
		return "127.0.0.1"
	case ip.Equal(net.IPv6unspecified):
		return "::1"
	}
	return h.Host
}

// askHealth returns what speaks against the server, "" when nothing does.
func askHealth(ctx context.Context, address string, own bool) string {
	transport := &http.Transport{
		// The certificate of this machine's server is for the name by which others
		// know it. Nothing secret is said, and nothing that matters is heard.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: own},
		Proxy:           http.ProxyFromEnvironment,
	}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err.Error()
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // the address is told beside it
		}
		return err.Error()
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return ""
	}
	var said struct{ Reason string }
	_ = json.NewDecoder(io.LimitReader(response.Body, 64<<10)).Decode(&said) // not ours, if it is no JSON
	if said.Reason != "" {
		return said.Reason
	}
	return "it answers " + response.Status
}

func (a *healthAnswer) print(asJSON bool) error {
	switch {
	case asJSON:
		return printJSON(a)
	case a.Healthy:
		fmt.Printf("%s says yes\n", a.URL)
	default:
		fmt.Printf("%s says no: %s\n", a.URL, a.Reason)
	}
	return nil
}
