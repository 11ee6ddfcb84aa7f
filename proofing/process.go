package proofing

import (
	"sync"
)

// process is what one process knows by itself and waits for. Nothing in it is the truth: that is in the
// store. Services that were made of one another by With share it.
type process struct {
	id        string // names this process among others; made by Start, as are the channels
	changes   hub
	pins      sync.Map // names of authorities, by the pins that were good last
	worker    worker
	rates     rates
	sequencer sequencer
	remarks   remarks
	wake      chan struct{} // the worker's
	owing     chan debt     // what is handed to the worker
	marked    chan struct{} // the sequencer's
	hooks     chan struct{} // the deliveries'
	stopping  chan struct{} // closed by Stop
}

// local is this process. A service that was never started, as commands beside a server have it, gets
// one in which nobody waits.
func (s *Service) local() *process {
	if p := s.process.Load(); p != nil {
		return p
	}
	s.process.CompareAndSwap(nil, &process{})
	return s.process.Load()
}

// Start makes the process ready to work and to let others wait. It is called once, before anything else.
func (s *Service) Start() {
	s.process.Store(&process{
		id:   NewToken().Reveal(),
		wake: make(chan struct{}, 1), marked: make(chan struct{}, 1), hooks: make(chan struct{}, 1),
		stopping: make(chan struct{}),
		owing:    make(chan debt, laneLength),
	})
}

// Stop lets everybody go who waits for a change, so that the program can end. It
// is called once.
func (s *Service) Stop() { close(s.local().stopping) }

// With is the same service, in the same process, under another policy and with other ways out. Calls that were
// made of the old one end under the old policy; both may be used at once, over
// what they share. The old one is left as it is.
func (s *Service) With(p Policy, methods map[string]Method, sender Sender, caller Caller) *Service {
	next := &Service{
		Cases: s.Cases, People: s.People, Addresses: s.Addresses, Accounts: s.Accounts, Keys: s.Keys, Authorities: s.Authorities, Pins: s.Pins, Registry: s.Registry,
		Feeds: s.Feeds, Pages: s.Pages, Leases: s.Leases, LogPages: s.LogPages, LogHeads: s.LogHeads, Brakes: s.Brakes, Tokens: s.Tokens,
		Appointments: s.Appointments, Dossiers: s.Dossiers, Administration: s.Administration, Certificates: s.Certificates,
		PolicyBooks: s.PolicyBooks, PolicyProposals: s.PolicyProposals, Configurations: s.Configurations,
		Limiter: s.Limiter, Signer: s.Signer, Hasher: s.Hasher, Now: s.Now, Log: s.Log, Lag: s.Lag, Watch: s.Watch, CAA: s.CAA, Recorder: s.Recorder, Prover: s.Prover,
		Policy: p, Methods: methods, Sender: sender, Caller: caller, Operator: s.Operator,
	}
	next.process.Store(s.local())
	return next
}
