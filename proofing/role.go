package proofing

// Role is what somebody may do in the console. The names are those of the CA/Browser Forum's Code Signing Baseline Requirements
// where these have one (3.2.2.2 for the applicant's side, 3.2.9 and 5.3.3 for the CA's).
type Role string

// The roles, and within what each is held.
const (
	// RoleAdministrator names people to roles, agrees to policy, and sees everything. Held for the whole service.
	RoleAdministrator Role = "administrator"
	// RoleOperator is an administrator of one certificate authority: its organizations, people, keys and registry.
	RoleOperator Role = "operator"
	// RoleSpecialist is a validation specialist: collects and records what a dossier and a request need. Of one authority.
	RoleSpecialist Role = "validation_specialist"
	// RoleReviewer makes the final cross-correlation (3.2.9): sees everything that others collected, and decides. Of one authority.
	RoleReviewer Role = "reviewer"
	// RoleRequester is a Certificate Requester, RoleApprover a Certificate Approver, and RoleSigner a Contract Signer. Of one organization.
	RoleRequester Role = "certificate_requester"
	RoleApprover  Role = "certificate_approver"
	RoleSigner    Role = "contract_signer"
)

// Roles are all of them, in the order in which pages list them.
func Roles() []Role {
	return []Role{RoleAdministrator, RoleOperator, RoleSpecialist, RoleReviewer, RoleRequester, RoleApprover, RoleSigner}
}

// Side is where a role stands.
type Side string

// The sides. Nobody decides for two of them in one request, whatever their roles.
const (
	SideService   Side = "service"
	SideAuthority Side = "authority" // the CA's
	SideApplicant Side = "applicant"
)

// Side is the side of a role; empty for one that does not exist.
func (r Role) Side() Side {
	switch r {
	case RoleAdministrator:
		return SideService
	case RoleOperator, RoleSpecialist, RoleReviewer:
		return SideAuthority
	case RoleRequester, RoleApprover, RoleSigner:
		return SideApplicant
	}
	return ""
}
