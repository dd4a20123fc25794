// The identity of the function app for storage, vault, Application Insights and Microsoft Graph. It is user-assigned,
// so that roles can be assigned before the app exists and remain when the app is recreated.

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
