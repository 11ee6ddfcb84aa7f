package store_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
	"github.com/countersign-id/countersign/store/redistest"
)

// TestAClusterIsRestoredFromTheLogsOfItsMasters holds docs/operating.md ("Back up") to its steps: the log of each master is
// unpacked beside a server that is in no cluster, from which a new cluster fetches what it has.
func TestAClusterIsRestoredFromTheLogsOfItsMasters(t *testing.T) {
	t.Parallel()
	was := redistest.StartCluster(t)
	o := store.RedisOptions{Addresses: []string{was[0].Addr}, Cluster: true, Prefix: "restored"}
	r := openRedis(t, o)
	ctx := t.Context()
	expires := time.Now().Add(time.Hour).Truncate(time.Millisecond)
	for b := range proofing.Buckets {
		bucket := fmt.Sprintf("%02d", b)
		if err := r.Apply(ctx, bucket, []store.Op{{Name: "a", If: store.Absent, Value: []byte(bucket)}, {Name: "b", If: store.Absent, Expires: expires}}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := r.Add(ctx, bucket, "n", 3, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	var archives []string
	for _, s := range was[:3] {
		if !s.IsMaster() {
			t.Fatalf("%s is no master", s.Addr)
		}
		archives = append(archives, filepath.Join(s.Dir, "appendonlydir"))
	}
	anew := redistest.StartCluster(t)
	for _, archive := range archives {
		beside := redistest.New(t, redistest.FreePorts(t, 1), "--appendonly", "yes")
		if err := os.CopyFS(filepath.Join(beside.Dir, "appendonlydir"), os.DirFS(archive)); err != nil {
			t.Fatal(err)
		}
		beside.Start()
		beside.Await("persistence", "loading:0")
		out, err := exec.Command("redis-cli", "--cluster", "import", anew[0].Addr, "--cluster-from", beside.Addr, "--cluster-copy").CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	o.Addresses = []string{anew[0].Addr}
	restored := openRedis(t, o)
	for b := range proofing.Buckets {
		bucket := fmt.Sprintf("%02d", b)
		items, err := restored.Scan(ctx, bucket, "", "", 10)
		if err != nil || len(items) != 2 || string(items[0].Value) != bucket || !items[1].Expires.Equal(expires) {
			t.Errorf("bucket %s: %v, %v", bucket, items, err)
		}
		if n, _, err := restored.Add(ctx, bucket, "n", 0, 0); err != nil || n != 3 {
			t.Errorf("the counter of bucket %s: %d, %v", bucket, n, err)
		}
	}
}
