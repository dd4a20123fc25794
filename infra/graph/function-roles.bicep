// Microsoft Graph application permissions of the function app's identity. Being granted is the consent; nobody has to
// click. Whoever deploys this needs the directory role Privileged Role Administrator; infra/scripts/grant-graph-roles.sh
// does the same for tenants where another team holds it.

extension microsoftGraphV1

@description('Object id of the service principal of the managed identity.')
param principalId string

@description('Whether PHOTORELAY_SCOPE_GROUPS is set.')
param readsGroups bool

var permissions = concat([
  // The subscription on users, and who is who on premises.
  'User.Read.All'
  // The photos. Nothing in Microsoft 365 is ever written.
  'ProfilePhoto.Read.All'
], readsGroups ? [
  'GroupMember.Read.All'
] : [])

resource graph 'Microsoft.Graph/servicePrincipals@v1.0' existing = {
  appId: '00000003-0000-0000-c000-000000000000'
}

resource grants 'Microsoft.Graph/appRoleAssignedTo@v1.0' = [for permission in permissions: {
  principalId: principalId
  resourceId: graph.id
  appRoleId: filter(graph.appRoles, role => role.value == permission)[0].id
}]
