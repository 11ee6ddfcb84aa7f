package store_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-id/countersign/store"
	"github.com/countersign-id/countersign/store/redistest"
)

// BenchmarkReplicas says what `replicas: 1` costs: changes of 200 bytes on a master with one replica, by callers
// who all wait for theirs, with a copy asked for and without, in turns. Beside it stands a cluster of three such masters, whose
// pipeline has a shard for each run of slots. BENCH_ROUNDS and BENCH_SECONDS change how long it takes.
func BenchmarkReplicas(b *testing.B) {
	rounds, lasts := replicaBench("BENCH_ROUNDS", 5), time.Duration(replicaBench("BENCH_SECONDS", 2)*float64(time.Second))
	master := startRedis(b, append(durableArgs, "--repl-diskless-sync-delay", "0")...)
	host, port, _ := net.SplitHostPort(master.Addr)
	replica := redistest.New(b, redistest.FreePorts(b, 1), append(redistest.Durable(), "--replicaof", host+" "+port)...)
	replica.Start()
	replica.Await("replication", "master_link_status:up")
	master.Await("replication", "state=online")
	cluster := redistest.StartCluster(b)
	var stores []*store.Redis
	for _, o := range []store.RedisOptions{
		{Addresses: []string{master.Addr}},
		{Addresses: []string{master.Addr}, Replicas: 1},
		{Addresses: []string{cluster[0].Addr}, Cluster: true},
		{Addresses: []string{cluster[0].Addr}, Cluster: true, Replicas: 1},
	} {
		o.Prefix = "bench"
		r, err := store.OpenRedis(b.Context(), o)
		if err != nil {
			b.Fatal(err)
		}
		defer r.Close()
		stores = append(stores, r)
	}
	for range b.N {
		for _, callers := range []int{64, 256} {
			rates, ratios := make([][]float64, len(stores)), make([][]float64, len(stores))
			for range int(rounds) {
				now := make([]float64, len(stores))
				for i, r := range stores {
					now[i] = changeRate(b, r, callers, lasts)
				}
				for i := range stores {
					rates[i], ratios[i] = append(rates[i], now[i]), append(ratios[i], now[i]/now[i-i%2])
				}
			}
			for i, what := range []string{"master with a replica", "cluster of three masters"} {
				fmt.Printf("| %s | %d | %.0f | %.0f | %.2f |\n", what, callers, middle(rates[2*i]), middle(rates[2*i+1]), middle(ratios[2*i+1]))
				b.ReportMetric(middle(ratios[2*i+1]), fmt.Sprintf("%s-%d-replicas-1/0", []string{"master", "cluster"}[i], callers))
			}
		}
	}
}

// changeRate is how many changes a second so many callers get.
func changeRate(b *testing.B, r *store.Redis, callers int, lasts time.Duration) float64 {
	b.Helper()
	var made atomic.Int64
	var all sync.WaitGroup
	value := make([]byte, 200)
	began := time.Now()
	for caller := range callers {
		all.Go(func() {
			for n := 0; time.Since(began) < lasts; n++ {
				k := (caller*1009 + n) * 7919 % 10_000
				if err := r.Apply(context.Background(), fmt.Sprintf("%02d", k%64), []store.Op{{Name: fmt.Sprint("r/bench/", k), If: store.Any, Value: value}}); err != nil {
					b.Error(err)
					return
				}
				made.Add(1)
			}
		})
	}
	all.Wait()
	return float64(made.Load()) / time.Since(began).Seconds()
}

func replicaBench(name string, otherwise float64) float64 {
	if v, err := strconv.ParseFloat(os.Getenv(name), 64); err == nil {
		return v
	}
	return otherwise
}

func middle(of []float64) float64 { return slices.Sorted(slices.Values(of))[len(of)/2] }
