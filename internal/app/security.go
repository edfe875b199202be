package app

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tutti-realtime/tutti/internal/gate"
)

// openGate makes what stands before all who have not shown who they are: the gate,
// and the certificate that the server shows where it ends TLS.
func (a *App) openGate(registry prometheus.Registerer) error {
	settings, err := a.config.Security.gate()
	if err != nil {
		return err
	}
	a.gate = gate.New(settings, gate.NewMetrics(registry), a.log)
	if a.control != nil { // names of tenants cost a question to it; what is left is for those that are known
		a.directory.Absent = time.Second
		a.directory.Strangers = make(chan struct{}, max(1, a.config.DB.PoolSize-1))
	}
	a.credential, err = openCredential(&a.config, a.log)
	return err
}

// protect gives an HTTP server what openGate made.
func (a *App) protect(s *http.Server) (err error) {
	s.ConnState = a.gate.ConnState
	if a.credential == nil {
		return nil
	}
	s.Handler = gate.StrictTransport(s.Handler, time.Duration(a.config.TLS.HSTS))
	s.TLSConfig, err = a.credential.config()
	return err
}

// redirect runs the port that sends browsers to the listener's, until ctx ends.
func (a *App) redirect(ctx context.Context, l net.Listener) error {
	port := a.config.Port
	if address, ok := l.Addr().(*net.TCPAddr); ok {
		port = address.Port
	}
	address := net.JoinHostPort(a.config.Host, strconv.Itoa(a.config.TLS.Redirect))
	return newRedirect(port, a.server).run(ctx, address)
}
