{{- /* A code signing certificate of a step-ca provisioner whose ENRICHING webhook is called "countersign".
       The subject is what was proved; names that the profile does not prove are not in the answer, and so not in the certificate. */ -}}
{{- $proved := .Webhooks.countersign -}}
{
	"subject": {
{{- if $proved.organization }}
		"organization": {{ toJson $proved.organization.name }},
{{- end }}
		"commonName": {{ toJson $proved.common_name }}
	},
	"sans": {{ toJson $proved.sans }},
	"keyUsage": ["digitalSignature"],
	"extKeyUsage": ["codeSigning"]
}
