// App registration of one on-premises agent. The agent signs in with a certificate whose private key never leaves its
// machine. It has no permissions in Microsoft Graph, and only the storage roles of modules/agent-access.bicep.

extension microsoftGraphV1

param uniqueName string

@description('Base64 of the DER certificate, without the private key.')
param certificate string

resource application 'Microsoft.Graph/applications@v1.0' = {
  uniqueName: uniqueName
  displayName: uniqueName
  signInAudience: 'AzureADMyOrg'
  keyCredentials: [
    {
      displayName: uniqueName
      type: 'AsymmetricX509Cert'
      usage: 'Verify'
      key: certificate
    }
  ]
}

resource principal 'Microsoft.Graph/servicePrincipals@v1.0' = {
  appId: application.appId
}

output clientId string = application.appId
output principalId string = principal.id
