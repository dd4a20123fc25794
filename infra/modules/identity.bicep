// The identity of the function app: towards storage, vault, Application Insights and Microsoft Graph.
// User-assigned, so that rights can be granted before the app exists and outlive its being made anew.

param name string
param location string
param tags object

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: name
  location: location
  tags: tags
}

output id string = identity.id
output principalId string = identity.properties.principalId
output clientId string = identity.properties.clientId
