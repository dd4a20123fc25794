// Registration of one on-premises agent. It signs in with a certificate whose private key never leaves the agent's
// machine, has no permission in Microsoft Graph, and only the storage roles of modules/agent-access.bicep.

extension microsoftGraphV1

param uniqueName string

@description('Base64 of the DER certificate: the public half only.')
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
