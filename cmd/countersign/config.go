package main

import (
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// Config is everything that an operator decides, in one YAML file. The comments
// of its fields are the manual; `countersign config example` prints a file that
// shows every setting in its place.
//
// Every setting outside of profiles, issuers and sms.prices can be overridden by an environment variable
// that is named for its path: smtp.host by COUNTERSIGN_SMTP_HOST, a list by
// its members with commas between them. An empty variable overrides nothing.
//
// A secret is never written in the file but referred to: "file:/run/secrets/smtp"
// (a file that only its owner can read, or a file of root's that our group can
// read; one newline at its end is dropped) or "env:SMTP_PASSWORD".
//
// Durations are written "90s", "10m", "12h" or "30d"; a day has 24 hours.
type Config struct {
	// Origin is where people reach this service: scheme and host, and a port if
	// it is not the scheme's own. Every link in a message begins with it. It
	// must be https; http is only for this machine (localhost), to try things out.
	Origin    string          `yaml:"origin"`
	Operator  OperatorConfig  `yaml:"operator"`
	Listeners ListenersConfig `yaml:"listeners"`
	Store     StoreConfig     `yaml:"store"`
	// Providers says who delivers messages.
	Providers ProvidersConfig `yaml:"providers"`
	SMTP      SMTPConfig      `yaml:"smtp"`
	Twilio    TwilioConfig    `yaml:"twilio"`
	SMS       SMSConfig       `yaml:"sms"`
	Passkeys  PasskeysConfig  `yaml:"passkeys"`
	People    PeopleConfig    `yaml:"people"`
	// Issuers are the identity providers whose word is taken, by the name that profiles and the redirect URI
	// have for each: letters a-z, digits and hyphens.
	Issuers  map[string]IssuerConfig `yaml:"issuers"`
	Webhooks WebhooksConfig          `yaml:"webhooks"`
	DNS      DNSConfig               `yaml:"dns"`
	Audit    AuditConfig             `yaml:"audit"`
	// AuthorityTokens is what Authority Tokens (RFC 9447) are signed with; `countersign ca authority-tokens` says
	// which CAs take them. None are made unless it is set.
	AuthorityTokens ListenerTLSConfig `yaml:"authority_tokens"`
	Assurance       AssuranceConfig   `yaml:"assurance"`
	Limits          LimitsConfig      `yaml:"limits"`
	Log             LogConfig         `yaml:"log"`
	Telemetry       TelemetryConfig   `yaml:"telemetry"`
	// Profiles says, by name, what each kind of certificate demands of the person
	// behind a request. A CA asks for a profile by its name, so a
	// name stays as it is: letters a-z, digits and hyphens.
	Profiles map[string]ProfileConfig `yaml:"profiles"`

	// found is what was said of the file when it was read, and approved the policy that is in force in the place of the file's own (Config.under); nil: its own is.
	found    *report
	approved *proofing.PolicyVersion
}

// OperatorConfig is who runs this service, as people read it.
type OperatorConfig struct {
	// Name stands in every message and on every page.
	Name string `yaml:"name"`
	// Contact is an e-mail address or https link for people who need help.
	Contact string `yaml:"contact"`
}

// ListenersConfig is where the service listens, as host:port. Each listener speaks TLS if it
// has a certificate. One without must stand behind a proxy that does, or on this machine.
type ListenersConfig struct {
	// People serves the pages.
	People    string            `yaml:"people"`
	PeopleTLS ListenerTLSConfig `yaml:"people_tls"`
	// CAs serves the interface for certificate authorities. It need not be
	// reachable from anywhere else than from them.
	CAs string `yaml:"cas"`
	// CAsTLS lets CAs authenticate by client certificates too (`countersign ca cert`).
	// Behind a proxy that ends TLS there are none: what it writes of them into a
	// header is not believed.
	CAsTLS ListenerTLSConfig `yaml:"cas_tls"`
	// CAsOrigin is where CAs reach that listener: scheme and host, and a port if
	// it is not the scheme's own. URLs in answers to CAs begin with it. Unless set
	// it is the origin, or, when that is this machine, the listener's address.
	CAsOrigin string `yaml:"cas_origin"`
	// Operators serves /healthz (the process lives), /readyz (it can serve: "starting",
	// "stopping", "store_down" and "store_may_forget" are 503), /metrics (Prometheus) and
	// pages that show what needs somebody. It has no
	// credentials: let only operators reach it. Nothing listens unless it is set.
	Operators    string            `yaml:"operators"`
	OperatorsTLS ListenerTLSConfig `yaml:"operators_tls"`
	// OperatorsNames are the host names under which operators open the pages there, besides
	// addresses and this machine: under any other, somebody else's page could read them.
	OperatorsNames []string `yaml:"operators_names"`
	// TrustedProxies are the networks ("10.0.0.0/8") of the proxies whose
	// X-Forwarded-For is believed. Without one, limits for a client count
	// whoever connects: behind a proxy that would be everybody at once.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// MaxConnections bounds the connections of each listener. Further ones wait until
	// one ends, so that files and memory are left for the store and for mail.
	MaxConnections int `yaml:"max_connections"`
	// MaxRequests bounds the requests of each listener that are in hand at one time. Further
	// ones are answered 503 with Retry-After: 1 at once, so that those before them are not
	// late. CAs that wait for a change (?wait=) are not among them: of those there are half as many as MaxConnections.
	// One connection of HTTP/2 has at most a quarter of MaxRequests, and a hundred, at one time; one CA has three
	// quarters, and is answered 429 beyond that.
	MaxRequests int `yaml:"max_requests"`
	// Drain is how long everything is still served after the program was told to stop, while
	// /readyz says 503 already: a load balancer needs that long to notice. It is a little more than
	// twice the balancer's interval, 30s at most, and 0s where nobody asks /readyz.
	Drain time.Duration `yaml:"drain"`
}

// ListenerTLSConfig is the certificate that a listener shows, or that Authority Tokens carry. Both files are read again
// when they change; a pair that is no good leaves the one before in use.
type ListenerTLSConfig struct {
	// CertFile has the certificate and then its intermediates (PEM).
	CertFile string `yaml:"cert_file"`
	// KeyFile has its private key (PEM), readable by the service and not by everybody.
	KeyFile string `yaml:"key_file"`
}

// StoreConfig is where records are kept.
type StoreConfig struct {
	// Kind is "sqlite", a file on this machine, or "redis", which several
	// machines share.
	Kind string `yaml:"kind"`
	// Path is the database's file. It is made when it is first used.
	Path string `yaml:"path"`
	// KeyRing is the file of the keys that records are sealed with. It is made
	// with the store. Keep it out of the store's backups, and a copy of it elsewhere:
	// nobody can read the store without it. Machines that share a store need the same.
	KeyRing string      `yaml:"key_ring"`
	Redis   RedisConfig `yaml:"redis"`
}

// RedisConfig is the Redis (7.0 or later) or Valkey that keeps records. It must log and sync
// every change before it answers (appendonly yes, appendfsync always, no-appendfsync-on-rewrite no), and
// throw nothing away (maxmemory-policy noeviction); a server that is set otherwise is refused.
type RedisConfig struct {
	// Addresses are host:port: of the server; of all sentinels, with master_name; or
	// of some nodes of the cluster.
	Addresses []string `yaml:"addresses"`
	// MasterName is what the sentinels call the server that they watch.
	MasterName string `yaml:"master_name"`
	// Cluster says that the addresses are nodes of a Redis Cluster.
	Cluster bool `yaml:"cluster"`
	// Username is that of an ACL user; without it Password alone logs in.
	Username string          `yaml:"username"`
	Password proofing.Secret `yaml:"password"`
	// SentinelUsername and SentinelPassword log in at the sentinels, if they ask.
	SentinelUsername string          `yaml:"sentinel_username"`
	SentinelPassword proofing.Secret `yaml:"sentinel_password"`
	TLS              RedisTLSConfig  `yaml:"tls"`
	// AllowPlaintext reaches another machine without TLS. Whoever is on the
	// way could then read the password, and with it change every record.
	AllowPlaintext bool `yaml:"allow_plaintext"`
	// Prefix begins the name of every key, so that others can use the server too.
	Prefix string `yaml:"prefix"`
	// Replicas is how many replicas must have a change before it counts as made.
	// With 0 a change can be lost when a replica takes over that has not got it.
	Replicas int `yaml:"replicas"`
	// AcceptLessDurable uses a server that may forget what it acknowledged, or
	// does not say how it is set: a code that was spent may then be good again, and a
	// grant that a CA was told of unknown.
	AcceptLessDurable bool `yaml:"accept_less_durable"`
}

// RedisTLSConfig is how the connections to Redis are secured.
type RedisTLSConfig struct {
	Enabled bool `yaml:"enabled"`
	// CAFile has the certificates (PEM) to trust, instead of the system's.
	CAFile string `yaml:"ca_file"`
	// CertFile and KeyFile are our own certificate and its key, if the server asks.
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
}

// ProvidersConfig chooses who delivers messages of each kind.
type ProvidersConfig struct {
	// Email is "smtp", or "mailbox": a page that shows what would have been sent,
	// to try things out on one machine, or "none".
	Email string `yaml:"email"`
	// SMS is "twilio", "mailbox" or "none".
	SMS string `yaml:"sms"`
}

// SMTPConfig is the server that takes our mail.
type SMTPConfig struct {
	Host string `yaml:"host"`
	// Port is 587 unless set, or 465 with tls: implicit.
	Port int `yaml:"port"`
	// TLS is "starttls" (a server that does not offer it gets no mail),
	// "implicit", or "none", which is for a server on this machine.
	TLS string `yaml:"tls"`
	// AllowPlaintext lets tls: none reach another machine. Codes then cross the
	// network in the clear: for development only.
	AllowPlaintext bool `yaml:"allow_plaintext"`
	// Username and Password log in at the server; without them nobody does.
	Username string          `yaml:"username"`
	Password proofing.Secret `yaml:"password"`
	// From is the address that mails come from, FromName the name beside it; the
	// name is the operator's unless set.
	From     string `yaml:"from"`
	FromName string `yaml:"from_name"`
	// ReplyTo is the address that answers go to, if not From.
	ReplyTo string     `yaml:"reply_to"`
	DKIM    DKIMConfig `yaml:"dkim"`
}

// DKIMConfig signs mails here. Leave it out if the server does that.
type DKIMConfig struct {
	// Domain is the domain of From unless set.
	Domain   string `yaml:"domain"`
	Selector string `yaml:"selector"`
	// Key is a private key in PEM form: RSA of 2048 bits or more, or Ed25519.
	Key proofing.Secret `yaml:"key"`
}

// TwilioConfig is the account that sends text messages.
type TwilioConfig struct {
	AccountSID string          `yaml:"account_sid"`
	AuthToken  proofing.Secret `yaml:"auth_token"`
	// From is our number in E.164 form, or MessagingServiceSID names the service
	// that picks one. Exactly one of the two is set.
	From                string `yaml:"from"`
	MessagingServiceSID string `yaml:"messaging_service_sid"`
	// BaseURL replaces https://api.twilio.com: a region of Twilio's, or a double.
	BaseURL string `yaml:"base_url"`
	// StatusCallbacks asks Twilio to report on every message to
	// <origin>/hooks/sms/…, which must then be reachable from it.
	StatusCallbacks bool `yaml:"status_callbacks"`
}

// SMSConfig is to whom text messages go, and what they cost.
type SMSConfig struct {
	// Countries lists where numbers may be from, as ISO 3166-1 codes ("DE").
	// It is empty until set: no number is accepted, because every country that is open
	// can be used to make us pay for messages that nobody waits for.
	Countries []string `yaml:"countries"`
	// Prices is what one message costs, by country or under "default", in the
	// currency of limits.ca_spend_day. What has no price would never meet that limit, so
	// with a provider that costs money every country needs one.
	Prices map[string]Money `yaml:"prices"`
	Brake  BrakeConfig      `yaml:"brake"`
}

// BrakeConfig holds text messages back where they go out and no right answer comes: most
// likely somebody is paid for messages to numbers of their own. `countersign limits brake`
// shows and lifts brakes. A number that its person has confirmed before is never refused.
type BrakeConfig struct {
	// Ranges is for ten thousand numbers that differ in their last four digits, for the
	// cases of all CAs; Countries for all numbers of a country, for the cases of one CA. Each is
	// enforce, report (it is judged, kept and logged, and nothing is refused) or off.
	// Whoever asks for enough codes and answers none of them can bring a brake about, so
	// let countries report until you know what is usual with you.
	Ranges    proofing.BrakeMode `yaml:"ranges"`
	Countries proofing.BrakeMode `yaml:"countries"`
	// Window is the time over which messages are counted.
	Window time.Duration `yaml:"window"`
	// RangeUnanswered and CountryUnanswered are how many messages of a window may
	// go unanswered, whatever the rate. A range's bound does nothing unless it is below
	// limits.prefix_hour. A country with much traffic gets half of its usual
	// window, if that is more.
	RangeUnanswered   int64 `yaml:"range_unanswered"`
	CountryUnanswered int64 `yaml:"country_unanswered"`
	// Times is how many times as many as usual may go unanswered for each that is
	// answered. What is usual is counted for each CA and country over the last four whole weeks.
	Times int64 `yaml:"times"`
	// AssumedPercent is how many messages of a hundred are taken to be answered until
	// there are 200 messages to know it from.
	AssumedPercent int64 `yaml:"assumed_percent"`
	// Hold is how long a brake holds; one that follows within a week holds twice as
	// long, up to eight times. It is at least the window.
	Hold time.Duration `yaml:"hold"`
}

// PasskeysConfig is how passkeys and security keys are made, and by what they are judged.
type PasskeysConfig struct {
	// RPID is the domain that they are made for: the origin's host unless set, or a parent of it
	// that is not a public suffix. Who changes it makes every passkey useless.
	RPID string `yaml:"rp_id"`
	// MetadataFile is the metadata of FIDO's Metadata Service (MDS3), which says what is known of each model of
	// authenticator. Without it no attestation is trusted, and no label is above AAL2. Somebody renews it
	// before it is overdue, unless there is a MetadataURL.
	MetadataFile string `yaml:"metadata_file"`
	// MetadataURL is from where it is fetched. MetadataFile then is where the last good edition is kept.
	MetadataURL string `yaml:"metadata_url"`
}

// known says whether anything is known of models.
func (c PasskeysConfig) known() bool { return c.MetadataFile != "" }

// PeopleConfig is what people may have here beyond a request.
type PeopleConfig struct {
	// SignIn lets people sign in at /me, see and change what they are known by, and take it back.
	SignIn bool `yaml:"sign_in"`
	// Cooling is how long what was added after a recovery counts for nothing, while its owner hears of it; and how long a passkey that was
	// added since a role was taken up does not decide for others.
	Cooling time.Duration `yaml:"cooling"`
	// Retention is how long after somebody was here last, and nothing needed them, they are forgotten. They are told a month before. 0: unless they ask they stay.
	Retention time.Duration `yaml:"retention"`
}

// WebhooksConfig is where the webhooks of CAs may be. `countersign webhook set` gives a CA one.
type WebhooksConfig struct {
	// AllowNetworks are networks ("10.20.0.0/16") that webhooks may lead into although they are not
	// public. Without one, a webhook whose name stands for an address of this machine or of an
	// internal network is not called.
	AllowNetworks []string `yaml:"allow_networks"`
}

// AuditConfig is about the log of everything that was done (`countersign audit`).
type AuditConfig struct {
	// CheckpointFile gets the log's last checkpoint, once a second at most. It shows when the store is an older one than it was,
	// so keep it out of the store's backups and on another disk. While it shows more than the store's log has, nothing is entered into the log, and no EV
	// grant is authorized: see `countersign audit accept-loss`. There is none unless it is set.
	CheckpointFile string `yaml:"checkpoint_file"`
	// Retention is how long names, addresses and words of people stay in the log; what it says of them otherwise, and that nothing was added or taken away, stays for good.
	// Certificates for code signing need two years past their end (CSBR 5.4.3): what was collected may be used for 825 days, 398 for EV, and a certificate lasts
	// 460. So it is 2016 days unless set, 1589 at least where a profile is for EV, and 30 at least elsewhere. For what has no age it counts from when that is over: a
	// role, a Subscriber Agreement, a list of who may request.
	Retention time.Duration `yaml:"retention"`
}

// DNSConfig is who is asked for CAA records, for profiles that want to know them.
type DNSConfig struct {
	// Resolvers are addresses ("192.0.2.53", "[2001:db8::53]:5353") of up to three that resolve names for others, in the order in which
	// they are asked: those of /etc/resolv.conf unless set. Whoever is on the way to them, or has them believe
	// something, decides what is read: let it be one that validates DNSSEC, on this machine or near it.
	Resolvers []string `yaml:"resolvers"`
	// Timeout is how long the records of one domain are waited for: 1s to 8s.
	Timeout time.Duration `yaml:"timeout"`
}

// AssuranceConfig is how levels are named, and what the operator attests of this
// installation. Nothing here or in a profile can raise a label above its rules.
type AssuranceConfig struct {
	// Framework is the revision of NIST SP 800-63 that labels are given in,
	// where a profile does not say: sp800-63-4, sp800-63-3, or sp800-63-3+63bsup1.
	Framework proofing.Framework `yaml:"framework"`
	// VerifierFIPS140Validated says that this service runs on a cryptographic module with a
	// FIPS 140 validation. Without it no label is above AAL2.
	VerifierFIPS140Validated bool `yaml:"verifier_fips140_validated"`
	// AcceptUnverifiedLineType counts an SMS as an authenticator though nobody
	// knows whether its number is a mobile, a landline or VoIP. SP 800-63B 5.1.3.3
	// asks that a number be tied to a physical device; revision 4 does not ask here.
	AcceptUnverifiedLineType bool `yaml:"accept_unverified_line_type"`
	// RequireAttestation counts a security key without a trusted attestation as
	// one factor only.
	RequireAttestation bool `yaml:"require_attestation"`
}

// LimitsConfig bounds what people, clients and CAs can make us send. Each
// must be at least 1.
type LimitsConfig struct {
	// Cooldown is the time between two messages of one attempt; it doubles with each.
	Cooldown time.Duration `yaml:"cooldown"`
	// AddressHour and AddressDay are messages to one address.
	AddressHour int64 `yaml:"address_hour"`
	AddressDay  int64 `yaml:"address_day"`
	// PrefixHour is messages to one range of ten thousand numbers.
	PrefixHour int64 `yaml:"prefix_hour"`
	// ClientHour is messages asked for from one network address, ClientOpensHour
	// requests that people open themselves from one.
	ClientHour      int64 `yaml:"client_hour"`
	ClientOpensHour int64 `yaml:"client_opens_hour"`
	// CAMessagesDay and CASpendDay are the budget of one CA in a day (UTC): beyond it
	// nothing is sent for it until midnight. `ca add` can give a CA its own.
	CAMessagesDay int64 `yaml:"ca_messages_day"`
	CASpendDay    Money `yaml:"ca_spend_day"`
	// AttemptsPerCase is attempts at one method in one case, CodesPerAttempt
	// codes in one of them.
	AttemptsPerCase int `yaml:"attempts_per_case"`
	CodesPerAttempt int `yaml:"codes_per_attempt"`
	// FailuresInRow is wrong answers in a row at one address before it is
	// blocked: 100 at most (SP 800-63B 5.2.2; SP 800-63B-4 3.2.2).
	FailuresInRow int64 `yaml:"failures_in_row"`
	// FreezeLifetime is how long a case waits to be restored after somebody has
	// said "this was not me"; then it ends.
	FreezeLifetime time.Duration `yaml:"freeze_lifetime"`
}

// LogConfig is what the service says on standard error.
type LogConfig struct {
	// Level is debug, info, warn or error.
	Level string `yaml:"level"`
	// Format is json or text.
	Format string `yaml:"format"`
}

// TelemetryConfig is who is told where the time of requests goes. Figures need none of
// it: Prometheus asks the operators' listener for them.
type TelemetryConfig struct {
	// OTLPEndpoint is the OpenTelemetry collector that takes traces by OTLP over HTTP:
	// "https://collector.example:4318"; /v1/traces is added. Nothing is traced, and nothing is
	// spent on it, unless it is set. Traces name routes and outcomes, and nobody.
	OTLPEndpoint string `yaml:"otlp_endpoint"`
	// Authorization is what the collector wants in that header.
	Authorization proofing.Secret `yaml:"authorization"`
	// SampleOneIn is how many requests there are for one that is followed; 1 follows all.
	SampleOneIn int `yaml:"sample_one_in"`
}

func (c TelemetryConfig) on() bool { return c.OTLPEndpoint != "" }

func (c TelemetryConfig) tracesURL() string {
	return strings.TrimSuffix(c.OTLPEndpoint, "/") + "/v1/traces"
}

// ProfileConfig is what one kind of certificate demands.
type ProfileConfig struct {
	// Title is what people read: "Client certificate".
	Title string `yaml:"title"`
	// Framework is assurance.framework unless set.
	Framework proofing.Framework `yaml:"framework"`
	// Identifiers are what may be asked for: email, dns, ip,
	// permanent-identifier, hardware-module, organization. A person is entitled
	// to an email by confirming it, and to any other by `registry add`.
	Identifiers []string `yaml:"identifiers"`
	// Methods are offered to the person, in this order: email, sms, fido (passkeys and security keys),
	// oidc (an account at an identity provider), representative (somebody whom `representative add` named
	// sees the person and their documents, and a second one reviews: IAL2 or IAL3).
	Methods []string `yaml:"methods"`
	// Issuers are the identity providers of oidc, by their names; every one unless set.
	Issuers []string `yaml:"issuers"`
	// Attestation is which passkeys and security keys are accepted: none (every one that verifies its
	// user), trusted (models that passkeys.metadata_file or _url knows), listed (those of AAGUIDs) or
	// fips (those with a FIPS 140 validation).
	Attestation proofing.AttestationAccept `yaml:"attestation"`
	// AAGUIDs are the models of listed, as "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx".
	AAGUIDs []string      `yaml:"aaguids"`
	Require RequireConfig `yaml:"require"`
	// RequireStart sends nothing before the CA says that its account asked for
	// the challenge (RFC 8555 7.5.1).
	RequireStart bool `yaml:"require_start"`
	// SelfService lets a person open a request without a call of the CA.
	SelfService bool `yaml:"self_service"`
	// EV marks extended validation code signing, and turns on its rules.
	EV bool `yaml:"ev"`
	// Approvals is how many of an organization's certificate approvers must agree once the person has proved who they are. After
	// them a validation specialist and a reviewer of the CA decide, in the console. It takes the identifier type organization alone.
	Approvals int `yaml:"approvals"`
	// Approve is what is approved: each-certificate (one CSR; another one waits for another word), or pre-authorized (later CSRs pass
	// while everything that the word rests on is fresh). It is each-certificate unless set.
	Approve proofing.ApproveMode `yaml:"approve"`
	// ApprovalLifetime is how long an approval waits for the other decisions; 30d unless set, and 90d at most.
	ApprovalLifetime time.Duration `yaml:"approval_lifetime"`
	// ReviewEntitlement sends a person who is not entitled to the identifier to
	// review by people, instead of refusing them.
	ReviewEntitlement bool `yaml:"review_entitlement"`
	// CaseLifetime is how long a person has; 7d unless set.
	CaseLifetime time.Duration `yaml:"case_lifetime"`
	// GrantLifetime is how long the CA may rely on the outcome; 30d unless set.
	// The most is 398d for EV and 825d otherwise.
	GrantLifetime time.Duration `yaml:"grant_lifetime"`
	// RecheckAfter is when the CA should ask again within that time.
	RecheckAfter time.Duration `yaml:"recheck_after"`
	// ProofAge is how old what was proved may become before a grant that rests on it ends; as old as the grant unless set.
	ProofAge time.Duration `yaml:"proof_age"`
	// Grace is how long a grant goes on when something gives way under it: what was proved is too old, the person removes what
	// they proved it with, the registry has them no more, or the profile demands more than before. Unless set it ends at once.
	Grace time.Duration `yaml:"grace"`
	// EAB is what external account binding keys are made like.
	EAB EABConfig `yaml:"eab"`
	// CSR is what certification requests must be like in /v1/authorize. Where a profile has no such section, only what is
	// never right is refused: CA:true, domain names, addresses and mailboxes that are not asked for, and the account's own key.
	CSR CSRConfig `yaml:"csr"`
	// CAA is what becomes of an answer in /v1/authorize that CAA records (RFC 8659) speak against: off (nobody is asked), warn (the CA is
	// told beside the yes), or block (the answer is no, also while they cannot be looked up). Asked for are names, the domains of
	// mailboxes (RFC 9495), and those that `registry add --domain` gives an organization: one without such is never refused. It is off unless set.
	CAA string `yaml:"caa"`
	// Retention is how long the record stays after the end of the case or of its grant:
	// 90d unless set, and 1191d for EV.
	Retention time.Duration `yaml:"retention"`
}

// EABConfig is what external account binding keys of a profile are made like (RFC 8555 7.3.4).
type EABConfig struct {
	// Algorithm of the MAC: HS256 unless set, which every client knows; or HS384 or HS512.
	Algorithm string `yaml:"algorithm"`
	// Lifetime is how long a key lasts at most; as grant_lifetime unless set. One that is the result of a
	// proof ends with its grant.
	Lifetime time.Duration `yaml:"lifetime"`
	// Unused is when a key ends that no account was registered with; 7d unless set.
	Unused time.Duration `yaml:"unused"`
	// MaxAccounts is how many accounts one key may bind; 1 unless set.
	MaxAccounts int `yaml:"max_accounts"`
}

// CSRConfig is what certification requests of a profile must be like. No name may be in one that is not asked for,
// in the subject or among the alternative names, whatever its kind. Webhooks of step-ca do not go by it: they judge the certificate.
type CSRConfig struct {
	// Purpose is what the certificates are for: code-signing (KeyUsage digitalSignature and
	// ExtendedKeyUsage codeSigning must be asked for, and no other purpose), or other (codeSigning may not be asked for).
	Purpose string `yaml:"purpose"`
	// ClientAuth lets code-signing certificates be for clientAuth too. The first draft of ACME for code signing wanted
	// that; the rules of the CA/Browser Forum discourage it.
	ClientAuth bool `yaml:"client_auth"`
	// Keys are the kinds of keys: rsa, p-256, p-384, p-521. All but the last unless set.
	Keys []string `yaml:"keys"`
	// MinRSABits is the least size of an RSA key: 3072 unless set, which is also the least for code signing (CSBR 6.1.5.2),
	// and 2048 the least for others.
	MinRSABits int `yaml:"min_rsa_bits"`
	// CommonName is what the common name may be: no-domain (something else that is asked for, or none; the rules of the
	// CA/Browser Forum for code signing, CSBR 3.2.2.2.6, and what holds there unless set), domain (a domain name that is asked for, which must be
	// there: the first draft of ACME for code signing wants the registered domain of the organization. The profile then
	// has dns among its identifiers, and `registry add` says whose each domain is), or authorized (anything that is asked for, or none;
	// what holds for other unless set).
	CommonName string `yaml:"common_name"`
}

// RequireConfig is what must be reached before a request is granted. What is
// left out is not demanded.
type RequireConfig struct {
	// IAL, AAL and FAL are the least levels, in the numbers of the framework.
	IAL int `yaml:"ial"`
	AAL int `yaml:"aal"`
	FAL int `yaml:"fal"`
	// PhishingResistant demands an authenticator that a false site cannot use.
	PhishingResistant bool `yaml:"phishing_resistant"`
	// ConfirmedAddresses must each be confirmed in the case: email, phone.
	ConfirmedAddresses []proofing.Channel `yaml:"confirmed_addresses"`
	// AllMethods must each be passed in the case.
	AllMethods []string `yaml:"all_methods"`
	// BindingAge is for how long what authenticates must have been the person's.
	BindingAge time.Duration `yaml:"binding_age"`
}

// defaultConfig is what holds where neither the file nor the environment speaks.
func defaultConfig() Config {
	l, b := proofing.DefaultLimits(), proofing.DefaultBrake()
	return Config{
		Listeners: ListenersConfig{People: "127.0.0.1:8080", CAs: "127.0.0.1:8081", MaxConnections: 4096, MaxRequests: 512},
		Store:     StoreConfig{Kind: storeSQLite, Path: "countersign.db", KeyRing: "countersign.keys", Redis: RedisConfig{Prefix: "cs"}},
		Providers: ProvidersConfig{Email: providerSMTP, SMS: providerNone},
		SMTP:      SMTPConfig{TLS: tlsStart},
		SMS: SMSConfig{Brake: BrakeConfig{
			Ranges: b.Ranges, Countries: b.Countries, Window: b.Window, RangeUnanswered: b.RangeUnanswered,
			CountryUnanswered: b.CountryUnanswered, Times: b.Times, AssumedPercent: b.Assumed, Hold: b.Hold,
		}},
		People:    PeopleConfig{SignIn: true, Cooling: 24 * time.Hour},
		DNS:       DNSConfig{Timeout: 5 * time.Second},
		Audit:     AuditConfig{Retention: 2016 * day},
		Assurance: AssuranceConfig{Framework: proofing.R4},
		Limits: LimitsConfig{
			Cooldown: l.Cooldown, AddressHour: l.AddressHour, AddressDay: l.AddressDay, PrefixHour: l.PrefixHour,
			ClientHour: l.ClientHour, ClientOpensHour: l.ClientOpens,
			CAMessagesDay: l.CAMessagesDay, CASpendDay: Money(l.CASpendDayMicros),
			AttemptsPerCase: l.AttemptsPerCase, CodesPerAttempt: l.CodesPerAttempt, FailuresInRow: l.FailuresInRow,
			FreezeLifetime: 24 * time.Hour,
		},
		Log:       LogConfig{Level: "info", Format: "json"},
		Telemetry: TelemetryConfig{SampleOneIn: 100},
	}
}

// The kinds of store, the names of providers and the values of smtp.tls.
const (
	storeSQLite = "sqlite"
	storeRedis  = "redis"

	providerSMTP    = "smtp"
	providerTwilio  = "twilio"
	providerMailbox = "mailbox"
	providerNone    = "none"

	tlsStart    = "starttls"
	tlsImplicit = "implicit"
	tlsNone     = "none"
)
