package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// composeFile is docker-compose.yml, as far as this repository uses that language: a key
// that is not here is a mistake until somebody has thought about it.
type composeFile struct {
	Name     string                    `yaml:"name"`
	Confined yaml.Node                 `yaml:"x-confined"`
	Services map[string]composeService `yaml:"services"`
	Networks map[string]struct {
		Internal bool `yaml:"internal"`
	} `yaml:"networks"`
	Volumes map[string]struct{} `yaml:"volumes"`
}

type composeService struct {
	Image       string   `yaml:"image"`
	Build       string   `yaml:"build"`
	User        string   `yaml:"user"`
	ReadOnly    bool     `yaml:"read_only"`
	CapDrop     []string `yaml:"cap_drop"`
	CapAdd      []string `yaml:"cap_add"`
	SecurityOpt []string `yaml:"security_opt"`
	Restart     string   `yaml:"restart"`
	StopGrace   string   `yaml:"stop_grace_period"`
	Ports       []string `yaml:"ports"`
	Volumes     []string `yaml:"volumes"`
	Networks    []string `yaml:"networks"`
	NetworkMode string   `yaml:"network_mode"`
	Entrypoint  []string `yaml:"entrypoint"`
	Command     []string `yaml:"command"`
	DependsOn   map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
	Healthcheck struct {
		Test        []string `yaml:"test"`
		Interval    string   `yaml:"interval"`
		Timeout     string   `yaml:"timeout"`
		StartPeriod string   `yaml:"start_period"`
		Retries     int      `yaml:"retries"`
	} `yaml:"healthcheck"`
}

func readCompose(t *testing.T) composeFile {
	t.Helper()
	text, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var c composeFile
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil {
		t.Fatal(err)
	}
	return c
}

const setupService = "secrets" // it runs as root, without a network, and ends

var exactImage = regexp.MustCompile(`^[a-z/]+:v?[0-9]+\.[0-9]+\.[0-9]+(-[a-z]+)?(@sha256:[0-9a-f]{64})?$`)

func TestTheComposedServicesAreConfined(t *testing.T) {
	c := readCompose(t)
	for _, name := range []string{"countersign", "redis", "mailhog", setupService} {
		if _, ok := c.Services[name]; !ok {
			t.Errorf("there is no service %s", name)
		}
	}
	for name, s := range c.Services {
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}) {
			t.Errorf("%s is not confined: %+v", name, s)
		}
		if name == setupService {
			if s.NetworkMode != "none" || s.Restart != "no" || !slices.Equal(s.CapAdd, []string{"CHOWN"}) {
				t.Errorf("%s runs as root and may more than it must: %+v", name, s)
			}
			continue
		}
		if uid, _, ok := strings.Cut(s.User, ":"); !ok || uid == "0" || !isNumber(uid) || len(s.CapAdd) > 0 {
			t.Errorf("%s runs as %q with %v", name, s.User, s.CapAdd)
		}
		if s.Build == "" && !exactImage.MatchString(s.Image) {
			t.Errorf("%s: %q names no exact version", name, s.Image)
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s publishes %s to other machines", name, port)
			}
		}
		if len(s.Healthcheck.Test) == 0 || s.Healthcheck.Retries == 0 {
			t.Errorf("nobody asks %s how it is", name)
		}
		for on, how := range s.DependsOn {
			want := "service_healthy"
			if on == setupService {
				want = "service_completed_successfully"
			}
			if how.Condition != want {
				t.Errorf("%s waits for %s until %s", name, on, how.Condition)
			}
		}
	}
	if s := c.Services["redis"]; !slices.Equal(s.Networks, []string{"store"}) || !c.Networks["store"].Internal || len(s.Ports) > 0 {
		t.Errorf("redis can be reached by others than countersign: %+v", s)
	}
	if grace, err := time.ParseDuration(c.Services["countersign"].StopGrace); err != nil || grace < longestStop {
		t.Errorf("it is killed after %v, and may take %v to stop", grace, longestStop)
	}
}

const longestStop = mostDrain + stopMost

func isNumber(s string) bool {
	_, err := strconv.Atoi(s)
	return err == nil
}

// mountOf is the volume, or the file, that is mounted at a folder around the path.
func (s composeService) mountOf(path string) (source, at string) {
	for _, v := range s.Volumes {
		parts := strings.Split(v, ":")
		if len(parts) >= 2 && (path == parts[1] || strings.HasPrefix(path, parts[1]+"/")) {
			return parts[0], parts[1]
		}
	}
	return "", ""
}

func TestTheComposedConfigurationFitsItsServices(t *testing.T) {
	c := readCompose(t)
	s := c.Services["countersign"]
	source, _ := s.mountOf("/etc/countersign/countersign.yaml")
	config, _, err := loadConfig(filepath.Join("../..", source), nil, skipSecrets)
	if err != nil {
		t.Fatal(err)
	}
	for _, listener := range []string{config.Listeners.People, config.Listeners.CAs, config.Listeners.Operators} {
		_, port, _ := strings.Cut(listener, ":")
		if !slices.Contains(s.Ports, "127.0.0.1:"+port+":"+port) {
			t.Errorf("%s is not published: %v", listener, s.Ports)
		}
	}
	if volume, _ := s.mountOf(config.Store.KeyRing); volume != "keys" || slices.ContainsFunc(c.Services["redis"].Volumes, func(v string) bool { return strings.HasPrefix(v, "keys:") }) {
		t.Errorf("the key ring lies on %q, and must have a volume of its own", volume)
	}
	hosts := append([]string{config.SMTP.Host + ":1025"}, config.Store.Redis.Addresses...)
	for _, address := range hosts {
		host, _, _ := strings.Cut(address, ":")
		other, ok := c.Services[host]
		if !ok || !slices.ContainsFunc(s.Networks, func(n string) bool { return slices.Contains(other.Networks, n) }) {
			t.Errorf("%s is no service on a network of countersign's", host)
		}
	}
	for name, other := range c.Services {
		for _, v := range other.Volumes {
			source, _, _ := strings.Cut(v, ":")
			if _, err := os.Stat(filepath.Join("../..", source)); strings.HasPrefix(source, ".") && err != nil {
				t.Errorf("%s: %v", name, err)
			} else if _, ok := c.Volumes[source]; !ok && !strings.HasPrefix(source, ".") {
				t.Errorf("%s: there is no volume %s", name, source)
			}
		}
	}
}

// TestTheComposedRedisServesUs runs what the compose file runs: the script that makes the
// password, and the real server with its flags and users. A user that lacks a command which
// the store needs, or a setting that it refuses, is found here.
func TestTheComposedRedisServesUs(t *testing.T) {
	c, dir := readCompose(t), t.TempDir()
	// The script gives files away, which only root can do; what it asks for is noted instead.
	tools, given := filepath.Join(dir, "tools"), filepath.Join(dir, "given")
	for _, folder := range []string{"tools", "password", "users", "data"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(tools, "chown"), []byte("#!/bin/sh\necho \"$@\" >> "+given+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	setup := c.Services[setupService]
	script := strings.NewReplacer("$$", "$", "/for-countersign", dir+"/password", "/for-redis", dir+"/users").Replace(setup.Command[0])
	password := filepath.Join(dir, "password", "redis")
	var first []byte
	for range 2 { // the second time it must leave alone what is there
		cmd := exec.Command(setup.Entrypoint[0], append(setup.Entrypoint[1:], script)...)
		cmd.Env = append(os.Environ(), "PATH="+tools+":"+os.Getenv("PATH"))
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Fatalf("%s, %v", out, err)
		}
		secret, err := os.ReadFile(password)
		if err != nil || len(secret) != 64 || first != nil && !bytes.Equal(secret, first) {
			t.Fatalf("%d characters, %v", len(secret), err)
		}
		first = secret
	}
	owners, err := os.ReadFile(given)
	want := c.Services["countersign"].User + " " + password + "\n" + c.Services["redis"].User + " " + filepath.Join(dir, "users", "users.new") + "\n"
	if err != nil || string(owners) != want {
		t.Errorf("the files are given to\n%swant\n%s", owners, want)
	}
	for _, name := range []string{password, filepath.Join(dir, "users", "users.acl")} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}

	l := localListener(t)
	address := l.Addr().String()
	l.Close()
	_, port, _ := strings.Cut(address, ":")
	args := []string{"--bind", "127.0.0.1", "--port", port}
	for _, arg := range c.Services["redis"].Command[1:] {
		args = append(args, strings.NewReplacer("/data", dir+"/data", "/run/secrets", dir+"/users").Replace(arg))
	}
	server, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("redis-server is not installed; run: sh tools/redis.sh")
	}
	cmd := exec.Command(server, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	probe := c.Services["redis"].Healthcheck.Test
	healthy := strings.Replace(probe[1], "redis-cli", "redis-cli -p "+port, 1)
	for deadline := time.Now().Add(time.Minute); exec.Command("/bin/sh", "-c", healthy).Run() != nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%q does not find it well", healthy)
		}
	}

	source, _ := c.Services["countersign"].mountOf("/etc/countersign/countersign.yaml")
	text, err := os.ReadFile(filepath.Join("../..", source))
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(t)
	text = []byte(strings.NewReplacer("redis:6379", address, "/run/secrets/redis", password, "/var/lib/countersign-keys", d.dir).Replace(string(text)))
	if err := os.WriteFile(d.config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	d.run(exitOK, "ca", "add", "alpha", "--directory", "https://ca.example/dir", "--profile", "client")
	d.run(exitOK, "keys", "rotate")
	d.run(exitOK, "keys", "reseal")
	out, _ := d.run(exitOK, "ca", "list")
	contains(t, out, "alpha")
	if out, err := exec.Command("redis-cli", "-p", port, "get", "x").CombinedOutput(); err != nil || !strings.Contains(string(out), "NOPERM") {
		t.Errorf("who has not logged in gets %s, %v", out, err)
	}
}

// TestTheUserOfRedisMayWhatTheDecisionSays: the two lists are for different readers.
func TestTheUserOfRedisMayWhatTheDecisionSays(t *testing.T) {
	granted := regexp.MustCompile(`\+[a-z|]+`)
	script := readCompose(t).Services[setupService].Command[0]
	_, ours, _ := strings.Cut(script, "user countersign")
	_, rest, _ := strings.Cut(readDoc(t, "decisions/0008-redis.md"), "ACL SETUSER countersign")
	theirs, _, _ := strings.Cut(rest, "\n\n")
	a, b := granted.FindAllString(ours, -1), granted.FindAllString(theirs, -1)
	slices.Sort(a)
	slices.Sort(b)
	if len(a) < 10 || !slices.Equal(a, b) {
		t.Errorf("docker-compose.yml grants %v,\nthe decision says %v", a, b)
	}
}

// parses says whether the program would take a command line.
func parses(args ...string) error {
	var c commands
	parser, err := kong.New(&c, kong.Exit(func(int) {}))
	if err == nil {
		_, err = parser.Parse(args)
	}
	return err
}

func TestTheImageIsStaticSmallAndWatched(t *testing.T) {
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	file := strings.ReplaceAll(string(text), "\\\n", " ")
	var from []string
	said := map[string]string{} // of the last stage
	for line := range strings.Lines(file) {
		word, rest, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		if word == "FROM" {
			from, said = append(from, rest), map[string]string{}
		}
		said[word] = rest
	}
	if len(from) != 2 || !exactImage.MatchString(strings.TrimSuffix(from[0], " AS build")) || from[1] != "scratch" {
		t.Errorf("it is built from %q", from)
	}
	for _, words := range []string{"CGO_ENABLED=0", "-trimpath", "ca-certificates.crt", "-notices"} {
		if !strings.Contains(file, words) {
			t.Errorf("there is no %s in it", words)
		}
	}
	if uid, gid, _ := strings.Cut(said["USER"], ":"); uid == "0" || !isNumber(uid) || !isNumber(gid) || said["USER"] != readCompose(t).Services["countersign"].User {
		t.Errorf("it runs as %s", said["USER"])
	}
	if said["ENTRYPOINT"] != `["/countersign"]` || said["CMD"] != `["serve"]` || said["ENV"] != "COUNTERSIGN_CONFIG=/etc/countersign/countersign.yaml" {
		t.Errorf("it runs %s %s with %s", said["ENTRYPOINT"], said["CMD"], said["ENV"])
	}
	_, check, _ := strings.Cut(said["HEALTHCHECK"], "CMD ")
	if check != `["/countersign", "healthcheck"]` {
		t.Errorf("it is asked %s", check)
	}
	for _, args := range [][]string{{"serve"}, {"healthcheck"}} {
		if err := parses(args...); err != nil {
			t.Error(err)
		}
	}
}

func TestTheUnitFitsTheProgram(t *testing.T) {
	text, err := os.ReadFile("../../contrib/systemd/countersign.service")
	if err != nil {
		t.Fatal(err)
	}
	unit := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			unit[key] += value + "\n"
		}
	}
	for key, want := range map[string]string{
		"Type": "notify", "User": "countersign", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "CapabilityBoundingSet": "",
		"StateDirectory": "countersign", "RestartPreventExitStatus": strconv.Itoa(exitUsage), "UMask": "0077",
	} {
		if got := strings.TrimSpace(unit[key]); got != want {
			t.Errorf("%s=%s, want %s", key, got, want)
		}
	}
	program, args, _ := strings.Cut(strings.TrimSpace(unit["ExecStart"]), " ")
	if err := parses(strings.Fields(args)...); err != nil || filepath.Base(program) != "countersign" {
		t.Errorf("%s %s: %v", program, args, err)
	}
	if grace, err := time.ParseDuration(strings.TrimSpace(unit["TimeoutStopSec"])); err != nil || grace < longestStop {
		t.Errorf("it is killed after %v, and may take %v to stop", grace, longestStop)
	}
}
