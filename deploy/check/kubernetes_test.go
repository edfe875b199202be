package check

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// foreign are kinds that operators bring, whose types are not here.
var foreign = []string{"ServiceMonitor", "Certificate", "Issuer"}

// A cluster is what kustomize makes of a folder, as Kubernetes reads it.
type cluster struct {
	deployment appsv1.Deployment
	settings   map[string]string
	services   map[string]corev1.Service
	others     map[string]any // by kind
}

// build runs kustomize and reads each object as strictly as an API server that is
// asked to refuse unknown fields.
func build(t *testing.T, folder string) *cluster {
	t.Helper()
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatalf("kustomize build %s: %v", folder, err)
	}
	c := &cluster{services: map[string]corev1.Service{}, others: map[string]any{}}
	for _, r := range made.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		read := func(into any) {
			if err := yaml.UnmarshalStrict(text, into); err != nil {
				t.Errorf("%s %s: %v", r.GetKind(), r.GetName(), err)
			}
		}
		if r.GetNamespace() != "tutti" {
			t.Errorf("%s %s is in the namespace %q", r.GetKind(), r.GetName(), r.GetNamespace())
		}
		switch kind := r.GetKind(); kind {
		case "Deployment":
			read(&c.deployment)
		case "ConfigMap":
			var m corev1.ConfigMap
			read(&m)
			c.settings = m.Data
			if from := c.deploymentConfigMap(); from != "" && from != m.Name {
				t.Errorf("pods read the settings %s, which are called %s", from, m.Name)
			}
		case "Service":
			var s corev1.Service
			read(&s)
			c.services[s.Name] = s
		default:
			if !slices.Contains(foreign, kind) {
				into := map[string]any{
					"ServiceAccount": new(corev1.ServiceAccount), "PodDisruptionBudget": new(policyv1.PodDisruptionBudget),
					"NetworkPolicy": new(networkingv1.NetworkPolicy), "Ingress": new(networkingv1.Ingress),
					"HorizontalPodAutoscaler": new(autoscalingv2.HorizontalPodAutoscaler),
				}[kind]
				if into == nil {
					t.Fatalf("nobody checks a %s", kind)
				}
				read(into)
				c.others[kind] = into
			}
		}
	}
	return c
}

func (c *cluster) container() *corev1.Container {
	return &c.deployment.Spec.Template.Spec.Containers[0]
}

func (c *cluster) deploymentConfigMap() string {
	if len(c.deployment.Spec.Template.Spec.Containers) == 0 {
		return ""
	}
	for _, from := range c.container().EnvFrom {
		if from.ConfigMapRef != nil {
			return from.ConfigMapRef.Name
		}
	}
	return ""
}

func (c *cluster) milliseconds(t *testing.T, name string) time.Duration {
	t.Helper()
	n, err := strconv.Atoi(c.settings[name])
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return time.Duration(n) * time.Millisecond
}

func TestTheManifests(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"base", "example"} {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			c := build(t, filepath.Join("../kubernetes", folder))
			checkSelectors(t, c)
			checkStop(t, c)
			checkRights(t, c)
			checkProbes(t, c)
		})
	}
}

func TestEachComponentFitsTheBase(t *testing.T) {
	t.Parallel()
	components, err := filepath.Glob("../kubernetes/components/*")
	if err != nil || len(components) == 0 {
		t.Fatalf("no components (%v)", err)
	}
	base, err := filepath.Abs("../kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	for _, component := range components {
		name := filepath.Base(component)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Beside the others, since kustomize knows relative paths only.
			folder, err := os.MkdirTemp(base, "check-")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(folder)
			text := fmt.Appendf(nil, "resources: [../base]\ncomponents: [../components/%s]\nnamespace: tutti\n", name)
			if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), text, 0o600); err != nil {
				t.Fatal(err)
			}
			c := build(t, folder)
			checkSelectors(t, c)
			if name == "cluster-tls" {
				checkTLS(t, c)
			}
		})
	}
}

func TestAnUnknownFieldIsFound(t *testing.T) {
	t.Parallel()
	var d appsv1.Deployment
	if err := yaml.UnmarshalStrict([]byte("spec: {replica: 3}"), &d); err == nil {
		t.Error("a wrong field passes, so the other tests show nothing")
	}
}

// checkSelectors checks that all of them choose the pods.
func checkSelectors(t *testing.T, c *cluster) {
	t.Helper()
	pod := labels.Set(c.deployment.Spec.Template.Labels)
	chooses := func(what string, s *metav1.LabelSelector) {
		selector, err := metav1.LabelSelectorAsSelector(s)
		if err != nil || s == nil || selector.Empty() || !selector.Matches(pod) {
			t.Errorf("%s does not choose the pods: %v (%v)", what, s, err)
		}
	}
	chooses("the deployment", c.deployment.Spec.Selector)
	spec := c.deployment.Spec.Template.Spec
	chooses("the spread", spec.TopologySpreadConstraints[0].LabelSelector)
	chooses("the affinity", spec.Affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution[0].PodAffinityTerm.LabelSelector)
	chooses("the budget", c.others["PodDisruptionBudget"].(*policyv1.PodDisruptionBudget).Spec.Selector)
	policy := c.others["NetworkPolicy"].(*networkingv1.NetworkPolicy).Spec
	chooses("the network policy", &policy.PodSelector)
	chooses("who may come in", policy.Ingress[1].From[0].PodSelector)
	ports := map[string]bool{}
	for _, p := range c.container().Ports {
		ports[p.Name] = true
	}
	for _, name := range []string{"tutti", "tutti-nodes"} {
		s := c.services[name]
		if len(s.Spec.Selector) == 0 || !labels.SelectorFromSet(s.Spec.Selector).Matches(pod) {
			t.Errorf("the service %s does not choose the pods", name)
		}
		for _, p := range s.Spec.Ports {
			if !ports[p.TargetPort.StrVal] {
				t.Errorf("the service %s wants the port %v, which no container has", name, &p.TargetPort)
			}
		}
	}
	if nodes := c.services["tutti-nodes"].Spec; nodes.ClusterIP != "None" || !nodes.PublishNotReadyAddresses {
		t.Error("nodes that are not ready yet cannot be found")
	}
}

// checkStop checks that a pod has the time to stop that it is told to take.
func checkStop(t *testing.T, c *cluster) {
	t.Helper()
	spec := c.deployment.Spec.Template.Spec
	patience := time.Duration(*spec.TerminationGracePeriodSeconds) * time.Second
	delay, grace, spread := c.milliseconds(t, "DRAIN_DELAY_MS"), c.milliseconds(t, "SHUTDOWN_GRACE_MS"), c.milliseconds(t, "DRAIN_SPREAD_MS")
	if needs := delay + grace + 5*time.Second; patience < needs {
		t.Errorf("a pod is killed after %v, and needs %v", patience, needs)
	}
	if spread >= grace {
		t.Errorf("clients are let go over %v, and the grace is %v", spread, grace)
	}
	ready := c.container().ReadinessProbe
	if notice := time.Duration(ready.PeriodSeconds*ready.FailureThreshold) * time.Second; delay < notice {
		t.Errorf("it takes %v to notice that a pod stops, and the pod waits %v", notice, delay)
	}
}

func checkRights(t *testing.T, c *cluster) {
	t.Helper()
	pod, own := c.deployment.Spec.Template.Spec, c.container().SecurityContext
	if !*pod.SecurityContext.RunAsNonRoot || !*own.ReadOnlyRootFilesystem || *own.AllowPrivilegeEscalation ||
		!slices.Contains(own.Capabilities.Drop, "ALL") || pod.SecurityContext.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Error("a pod may do more than the restricted profile of pods allows")
	}
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		t.Error("a pod has a token of Kubernetes, and needs none")
	}
	for _, secret := range []string{"DB_PASSWORD", "DB_ENC_KEY", "API_JWT_SECRET", "METRICS_JWT_SECRET", "CLUSTER_PASSWORD"} {
		if _, open := c.settings[secret]; open {
			t.Errorf("%s is not in a secret", secret)
		}
	}
	if !slices.ContainsFunc(c.container().EnvFrom, func(e corev1.EnvFromSource) bool { return e.SecretRef != nil }) {
		t.Error("a pod reads no secret")
	}
	if limit := c.container().Resources.Limits.Memory(); limit.IsZero() {
		t.Error("nothing limits the memory of a pod")
	}
}

func checkProbes(t *testing.T, c *cluster) {
	t.Helper()
	for path, probe := range map[string]*corev1.Probe{
		"/health/live": c.container().LivenessProbe, "/health/ready": c.container().ReadinessProbe,
	} {
		if probe.HTTPGet.Path != path || probe.HTTPGet.Port.StrVal != "http" {
			t.Errorf("a probe asks %s, not %s", probe.HTTPGet.Path, path)
		}
	}
	// The answer takes up to 8 s when an event loop stands still.
	if c.container().LivenessProbe.TimeoutSeconds <= 8 {
		t.Error("the liveness probe does not wait for the answer")
	}
}

func checkTLS(t *testing.T, c *cluster) {
	t.Helper()
	if c.settings["CLUSTER_PRIVATE"] != "false" {
		t.Error("the network still counts as private")
	}
	mount := c.container().VolumeMounts[0]
	for _, name := range []string{"CLUSTER_TLS_CERT", "CLUSTER_TLS_KEY", "CLUSTER_TLS_CA"} {
		if filepath.Dir(c.settings[name]) != mount.MountPath {
			t.Errorf("%s is %s, and certificates are in %s", name, c.settings[name], mount.MountPath)
		}
	}
	text, err := os.ReadFile("../kubernetes/components/cluster-tls/certificates.yaml")
	if err != nil {
		t.Fatal(err)
	}
	host, _, _ := bytes.Cut([]byte(c.settings["CLUSTER_DNS"]), []byte(":"))
	if !bytes.Contains(text, fmt.Appendf(nil, "dnsNames: [%q]", host)) {
		t.Errorf("the certificate is not for %s, by which nodes find each other", host)
	}
}
