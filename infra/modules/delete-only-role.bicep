// A custom role: reads, lists and deletes blobs, and writes none. `photorelay forget` deletes a user's photos; an operator
// who runs it needs no right to store any. "Permissions for Blob service operations"
// (https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory, read in November 2026):
// Delete Blob needs blobs/delete.

resource deleteOnly 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, 'photorelay-delete-only')
  properties: {
    // Unique in the tenant.
    roleName: 'photorelay delete-only blobs ${uniqueString(resourceGroup().id)}'
    description: 'Reads, lists and deletes blobs; cannot create or overwrite them.'
    type: 'CustomRole'
    assignableScopes: [
      resourceGroup().id
    ]
    permissions: [
      {
        actions: [
          'Microsoft.Storage/storageAccounts/blobServices/containers/read'
        ]
        dataActions: [
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read'
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete'
        ]
      }
    ]
  }
}

output roleDefinitionId string = deleteOnly.id
