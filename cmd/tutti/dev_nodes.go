package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/tutti-realtime/tutti/internal/app"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/postmaster"
)

const (
	// mostNodes is more than a machine for development has cores.
	mostNodes = 16
	// stopPatience is how much longer than its grace a node may take to stop.
	stopPatience = 5 * time.Second
)

// refuseMade refuses flags that say what is made for each node.
func refuseMade(line *kong.Context) error {
	made := []string{
		"db-host", "db-port", "db-name", "db-user", "db-password", "db-enc-key", "seed-self-host",
		"node-name", "node-address", "cluster-listen", "cluster-advertise", "cluster-peers", "cluster-dns",
	}
	for _, p := range line.Path {
		if p.Flag != nil && !p.Resolved && slices.Contains(made, p.Flag.Name) {
			return fmt.Errorf("--%s is not for several nodes: each has its own", p.Flag.Name)
		}
	}
	return nil
}

// tryPorts says which port is taken, before anything is started.
func (d *devCommand) tryPorts(ctx context.Context) error {
	if d.Port == 0 {
		return nil
	}
	if last := d.Port + d.Nodes - 1; last > 65535 {
		return fmt.Errorf("%d nodes from port %d on would need port %d; choose another with --port or PORT", d.Nodes, d.Port, last)
	}
	for i := range d.Nodes {
		var config net.ListenConfig
		address := net.JoinHostPort(d.Host, strconv.Itoa(d.Port+i))
		l, err := config.Listen(ctx, "tcp", address)
		if err != nil {
			return fmt.Errorf("listen on %s for %s: %w; choose %d free ports in a row with --port or PORT", address, nodeName(i), err, d.Nodes)
		}
		_ = l.Close()
	}
	return nil
}

func nodeName(i int) string { return "node-" + strconv.Itoa(i+1) }

// serveNodes runs nodes until ctx ends. args are those of this process.
func (d *devCommand) serveNodes(ctx context.Context, config app.Config, args []string, more string) error {
	nodes := crew{ended: make(chan *child, d.Nodes)}
	err := d.startNodes(ctx, &nodes, config, passed(args))
	if err == nil {
		err = nodes.await(ctx)
	}
	if err == nil && ctx.Err() == nil {
		err = greetNodes(os.Stdout, nodes.all, config, more)
	}
	if err == nil {
		err = nodes.watch(ctx)
	}
	return errors.Join(err, nodes.stop(time.Duration(d.Grace)+stopPatience))
}

// startNodes starts one node after the other, so that each finds what those
// before it have made: the tables, the tenant, a way into the cluster. With an
// error those run that were started.
func (d *devCommand) startNodes(ctx context.Context, nodes *crew, config app.Config, flags []string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	doors, err := freeAddresses(d.Nodes)
	if err != nil {
		return err
	}
	for i := range d.Nodes {
		if ctx.Err() != nil {
			return nil
		}
		cmd := exec.Command(self, append([]string{"serve"}, flags...)...)
		cmd.Env = append(append(os.Environ(), limitEnvironment(config.Limits)...), nodeEnvironment(config, i, doors)...)
		if err := nodes.start(ctx, nodeName(i), cmd, os.Stderr); err != nil {
			return err
		}
	}
	return nil
}

// passed returns the flags of dev that are for each node as they are.
func passed(args []string) []string {
	var flags []string
	args = args[1:] // dev
	for i := 0; i < len(args); i++ {
		name, _, whole := strings.Cut(args[i], "=")
		switch name {
		case "--data", "--nodes", "--port":
			if !whole {
				i++ // its value
			}
		default:
			flags = append(flags, args[i])
		}
	}
	return flags
}

// nodeEnvironment returns what is different for one node, and what all have from
// us. A variable without a value counts as none. doors are where the nodes come
// in to each other.
func nodeEnvironment(config app.Config, i int, doors []string) []string {
	port, address, seed := "0", "", ""
	if config.Port != 0 {
		port = strconv.Itoa(config.Port + i)
		address = "localhost:" + port
	}
	if i == 0 {
		seed = "true" // a second one would make the tenant anew while the first serves it
	}
	tenant := config.DefaultTenant
	if tenant == "" {
		tenant = config.DevTenant
	}
	peers := strings.Join(doors[:i], ",") // later ones find these
	extensions, err := json.Marshal(config.DevExtensions)
	if err != nil {
		panic(err) // it was read from JSON
	}
	spread := os.Getenv("DRAIN_SPREAD_MS")
	if spread == "" {
		spread = "1000" // nobody is overrun here, and Ctrl-C should not take long
	}
	return []string{
		"PORT=" + port, "NODE_NAME=" + nodeName(i), "NODE_ADDRESS=" + address,
		"CLUSTER_LISTEN=" + doors[i], "CLUSTER_ADVERTISE=", "CLUSTER_DNS=",
		"CLUSTER_PEERS=" + peers, "SELF_HOST_EXTENSIONS=" + string(extensions),
		"SEED_SELF_HOST=" + seed, "DEFAULT_TENANT=" + tenant, "API_JWT_SECRET=" + config.DevSecret, "TENANTS_FILE=",
		"DASHBOARD_USER=" + config.Admin.User, "DASHBOARD_PASSWORD=" + config.Admin.Password,
		"DB_HOST=" + config.DB.Host, "DB_PORT=" + strconv.Itoa(int(config.DB.Port)), "DB_NAME=" + config.DB.Name,
		"DB_USER=" + config.DB.User, "DB_PASSWORD=" + config.DB.Password, "DB_SSL=", "DB_IP_VERSION=",
		"DB_ENC_KEY=" + config.DB.EncKey, "DB_ENC_KEY_GCM=", "DB_ENC_WRITE_GCM=",
		"DRAIN_SPREAD_MS=" + spread,
	}
}

// freeAddresses returns addresses of loopback on which nobody listens. They are
// not among those that the system gives to outgoing connections, so that they
// are likely still free in a moment.
func freeAddresses(n int) ([]string, error) {
	var addresses []string
	var last error
	for try := 0; len(addresses) < n; try++ {
		if try == 100*n {
			return nil, fmt.Errorf("find a free port: %w", last)
		}
		address := net.JoinHostPort(postmaster.Host, strconv.Itoa(20000+rand.IntN(12000)))
		l, err := net.Listen("tcp", address)
		if err != nil {
			last = err
			continue
		}
		defer l.Close() // at the end, so that none comes twice
		addresses = append(addresses, address)
	}
	return addresses, nil
}

// greetNodes says where the nodes are, and the keys of the ready-made tenant.
func greetNodes(w io.Writer, nodes []*child, config app.Config, more string) error {
	now := time.Now()
	mint := func(role string) (string, error) {
		return auth.Mint(config.DevSecret, map[string]any{
			"role": role, "iss": "tutti", "iat": now.Unix(), "exp": now.AddDate(10, 0, 0).Unix(),
		})
	}
	anon, err := mint("anon")
	if err != nil {
		return err
	}
	service, err := mint("service_role")
	if err != nil {
		return err
	}
	var where strings.Builder
	for _, node := range nodes {
		fmt.Fprintf(&where, "  %-12s %s   process %d\n", node.name, node.base, node.cmd.Process.Pid)
	}
	fmt.Fprintf(w, `Tutti %s is ready on %d nodes, with the tenant %q.

  page         %s/#key=%s
%s  anon key     %s
  service key  %s
%s
Each node has the page, and whoever is on one hears those on the others; /status
of any shows them all. Kill one, and the others go on. Ctrl-C stops all.
%s
`, version, len(nodes), config.DevTenant, nodes[0].base, anon, where.String(), anon, service, consoleLines(nodes[0].base, config.Admin), more)
	return nil
}
